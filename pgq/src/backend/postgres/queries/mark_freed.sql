-- After a step of freeing that found nothing: nothing is left, as the gone claim nothing. $1 the time. One walk through all jobs,
-- however many are gone, and none where nobody is.
with lost as materialized (select id from @worker where gone is not null and freed is null),
holding as materialized (
  select distinct lease from @job
  where lease = any (array(select id from lost)) and exists (select from lost))
update @worker set freed = coalesce($1::timestamptz, clock_timestamp())
where id = any (array(select id from lost except select lease from holding)) and gone is not null and freed is null
