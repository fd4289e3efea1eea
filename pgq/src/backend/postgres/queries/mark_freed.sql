-- After a step of freeing that found nothing: nothing is left, as the gone claim nothing. $1 the time.
update @worker as worker set freed = coalesce($1::timestamptz, clock_timestamp())
where gone is not null and freed is null
  and not exists (select from @job where lease = worker.id)
