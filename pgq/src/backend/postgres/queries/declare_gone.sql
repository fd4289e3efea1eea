-- Declares workers gone whose beat is older than their span; $1 who asks, $2 the time. A beat counts from no earlier
-- than the asker's own start, so that a server which was away kills nobody when it returns.
update @worker
set gone = coalesce($2::timestamptz, clock_timestamp())
where id = any (array(
  select other.id
  from @worker as me, @worker as other
  where me.id = $1::bigint and other.gone is null
    and coalesce($2, clock_timestamp()) - greatest(other.beat, me.started) > other.span
  for update of other skip locked))
returning id
