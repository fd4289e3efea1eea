-- Gates that open, now locked, $1 at most; $2 the time. Always a row, which tells by what time they are due.
with due as materialized (
  select name from @gate
  where opens <= coalesce($2::timestamptz, statement_timestamp())
  order by opens
  limit $1::bigint
  for update skip locked)
select due.name, coalesce($2, statement_timestamp()) as now
from (select) as always
left join due on true
