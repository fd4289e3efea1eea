-- The gates of the limits $1 let through more or fewer than before: whoever looks for gates that open looks at those where
-- somebody waits. $2 the time.
with locked as materialized (
  -- In order, as claims lock them. Whoever has one locked just now looks at it again, if he parks somebody there.
  select name from @gate as gate
  where "limit" = any ($1::text[]) and exists (select from @job where limit_key = gate.name and lane = 2)
  order by name
  for update skip locked)
update @gate as gate
set opens = coalesce($2::timestamptz, statement_timestamp())
from locked
where gate.name = locked.name
