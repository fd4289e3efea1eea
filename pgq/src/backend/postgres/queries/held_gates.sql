-- Those of the gates $1 that somebody waits at, now locked, in order: after the commit of what has changed there.
select name from @gate
where name in (
  select gate from unnest($1::text[]) as left_by (gate)
  where exists (select from @job where limit_key = gate and lane = 2))
order by name
for update
