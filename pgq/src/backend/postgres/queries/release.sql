-- Hands back what the lease $1 still holds but for the claims (ids $2, epochs $3), attempts refunded: a worker's own last
-- act, or its mending of a claim whose answer was lost. Each stands before its first gate again.
update @job
set lease = null, attempt = attempt - 1, limit_key = extra #>> '{limit_keys,0}'
where ctid = any (array(
  select ctid from @job as job
  where lease = $1::bigint
    -- As an anti-join it may walk the index of ids.
    and (id, epoch) not in (select * from unnest($2::bigint[], $3::int[]))
  for update))
returning queue, task
