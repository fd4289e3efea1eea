-- As open_limits.sql, after its commit, for the gates that somebody had locked then: he may have gone by what was allowed before. It is
-- waited for them, as nothing else is locked.
with missed as materialized (
  select name from @gate as gate
  where "limit" = any ($1::text[]) and opens > coalesce($2::timestamptz, statement_timestamp())
    and exists (select from @job where limit_key = gate.name and lane = 2)
  order by name
  for update)
update @gate as gate
set opens = coalesce($2, statement_timestamp())
from missed
where gate.name = missed.name
