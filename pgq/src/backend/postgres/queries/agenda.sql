-- All schedules and where they stand. $1 the time.
select name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload, generation, last,
       waiting, fired,
       exists (select from @job as job where job.id = schedule.job and job.lane <> 3) as busy,
       coalesce($1::timestamptz, statement_timestamp()) as now, created, paused,
       not created and name not in (
         select unnest(edition.names)
         from @edition as edition join @worker as worker on worker.edition = edition.number
         where worker.gone is null) as orphaned
from @schedule as schedule
order by name
