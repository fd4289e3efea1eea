-- Gates that open, now locked, $1 at most; $2 the time. Always a row, which tells by what time they are due, when the first one opens
-- that isn't, and whether others are due: somebody has them locked.
with due as materialized (
  select name from @gate
  where opens <= coalesce($2::timestamptz, statement_timestamp())
  order by opens
  limit $1::bigint
  for update skip locked)
select due.name, coalesce($2, statement_timestamp()) as now,
       (select opens from @gate where opens > coalesce($2, statement_timestamp()) order by opens limit 1) as next,
       exists (
         select from @gate
         where opens <= coalesce($2, statement_timestamp()) and name not in (select name from due)) as locked
from (select) as always
left join due on true
