-- Where the rate of one of the limits $1 bounds from now on, and none did, it begins with nothing, as what was started until now
-- isn't known. $2 the time.
with bounded as (
  select name, case when overridden then own_interval_ns else interval_ns end is not null as paced
  from @limit where name = any ($1::text[]))
update @limit as known
set tokens = 0, filled = case when bounded.paced then coalesce($2::timestamptz, statement_timestamp()) end
from bounded
where known.name = bounded.name and bounded.paced = (known.filled is null)
