-- The gates of the limits $1 let through more or fewer than before: whoever looks for gates that open looks at those where
-- somebody waits. $2 the time.
-- From one to the next: as a join it may walk all that are parked, at whatever limit. A limit's gates are called `limit=value`.
with recursive waited as (
  select bound.name as "limit",
         (select limit_key from @job
          where lane = 2 and limit_key >= bound.name || '=' and limit_key < bound.name || '>'
          order by limit_key
          limit 1) as gate
  from unnest($1::text[]) as bound (name)
  union all
  select "limit",
         (select limit_key from @job
          where lane = 2 and limit_key > waited.gate and limit_key < waited."limit" || '>'
          order by limit_key
          limit 1)
  from waited
  where gate is not null),
locked as materialized (
  -- In order, as claims lock them. Whoever has one locked just now looks at it again, if he parks somebody there.
  select name from @gate
  where name = any (array(select gate from waited))
  order by name
  for update skip locked)
update @gate
set opens = coalesce($2::timestamptz, statement_timestamp())
where name = any (array(select name from locked))
