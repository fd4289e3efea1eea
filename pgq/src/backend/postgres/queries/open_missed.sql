-- As open_limits.sql, after its commit, for the gates that somebody had locked then: he may have gone by what was allowed before. It is
-- waited for them, as nothing else is locked. Which these were isn't known any more, so it is walked from one gate where somebody waits
-- to the next once more, as there. Those that were opened then have `opens` in the past, and aren't locked again.
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
missed as materialized (
  select name from @gate
  where name = any (array(select gate from waited)) and opens > coalesce($4::timestamptz, statement_timestamp())
  order by name
  for update),
opened as (
  update @gate
  set opens = coalesce($4, statement_timestamp())
  where name = any (array(select name from missed)))
select "limit", gate from waited where place = $3 and gate is not null
