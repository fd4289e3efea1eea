-- Those of the gates $1 that somebody waits at: after the commit of what has changed there. A look-up for each: as a join it would
-- walk all who wait.
select quit.gate
from unnest($1::text[]) as quit (gate)
cross join lateral (select from @job where limit_key = quit.gate and lane = 2 limit 1) as waits
