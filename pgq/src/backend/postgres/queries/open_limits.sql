-- The gates of the limits $1 let through more or fewer than before: whoever looks for gates that open looks at those where
-- somebody waits. Of each limit those that come after the gate $2, $3 at most: there may be very many, and others wait for what is
-- locked. $4 the time. Answers of which limits there may be more, and after which gates.
-- From one to the next: as a join it may walk all that are parked, at whatever limit. A limit's gates are called `limit=value`.
with recursive waited as (
  select bound.name as "limit", 1 as place,
         (select limit_key from @job
          where lane = 2 and limit_key >= bound.name || '=' and limit_key > bound.after and limit_key < bound.name || '>'
          order by limit_key
          limit 1) as gate
  from unnest($1::text[], $2::text[]) as bound (name, after)
  union all
  select "limit", place + 1,
         (select limit_key from @job
          where lane = 2 and limit_key > waited.gate and limit_key < waited."limit" || '>'
          order by limit_key
          limit 1)
  from waited
  where gate is not null and place < $3::int),
locked as materialized (
  -- In order, as claims lock them. Whoever has one locked just now looks at it again, if he parks somebody there.
  select name from @gate
  where name = any (array(select gate from waited))
  order by name
  for update skip locked),
opened as (
  update @gate
  set opens = coalesce($4::timestamptz, statement_timestamp())
  where name = any (array(select name from locked)))
select "limit", gate from waited where place = $3 and gate is not null
