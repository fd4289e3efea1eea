-- Moves a schedule on, if it stands where it was seen: $1 name, $2 generation, $3 last tick, $4 the one that waits; $5 and $6
-- the same from now on, $7 the tick that is fired, where one is. Whoever finds it locked leaves the tick to who has it.
update @schedule
set last = $5::timestamptz, waiting = $6::timestamptz, fired = coalesce($7::timestamptz, fired)
where name = any (array(
  select name from @schedule
  where name = $1::text and generation = $2::bigint and last = $3::timestamptz
    and waiting is not distinct from $4::timestamptz
  for update skip locked))
