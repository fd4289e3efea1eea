-- As open_limits.sql, after its commit, for the gates that somebody had locked then: he may have gone by what was allowed before. It is
-- waited for them, as nothing else is locked. Which these were isn't known any more, so it is walked from one gate where somebody waits
-- to the next once more, as there. Those that were opened then have `opens` in the past, and aren't locked again.
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
missed as materialized (
  select name from @gate
  where name = any (array(select gate from waited)) and opens > coalesce($2::timestamptz, statement_timestamp())
  order by name
  for update)
update @gate
set opens = coalesce($2, statement_timestamp())
where name = any (array(select name from missed))
