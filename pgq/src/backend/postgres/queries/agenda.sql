-- All schedules and where they stand. $1 the time.
select name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload, generation, last,
       waiting, fired,
       exists (select from @job as job where job.id = schedule.job and job.lane <> 3) as busy,
       coalesce($1::timestamptz, statement_timestamp()) as now, created, paused, edition, limit_keys
from @schedule as schedule
left join (
  select unnest(names) as name, max(number) as edition
  from @edition
  where number in (select edition from @worker where gone is null)
  group by 1) as declared using (name)
order by name
