-- Those of the gates $1 that somebody waits at, now locked, in order: after the commit of what has changed there. A look-up for
-- each: as a join it would walk all who wait.
select name from @gate
where name = any (array(
  select gate
  from unnest($1::text[]) as quit (gate)
  cross join lateral (select from @job where limit_key = gate and lane = 2 limit 1) as waits))
order by name
for update
