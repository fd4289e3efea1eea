-- Leases of jobs for which no worker answers: its row is missing, or what it held counts as freed. Each gets a worker that
-- is gone, so that rescue frees what it holds, in steps and by its own rules; $1 the time. It reads all jobs and locks none.
with stray as materialized (
  select distinct job.lease
  from @job as job
  where job.lease is not null
    and not exists (
      select from @worker as worker where worker.id = job.lease and (worker.gone is null or worker.freed is null)))
insert into @worker as worker (id, instance, host, pid, span, started, beat, visible, gone)
select lease, '00000000-0000-0000-0000-000000000000', 'unknown', 0, interval '0', now, now, false, now
from stray, coalesce($1::timestamptz, clock_timestamp()) as now
-- Where there is a row its name is known. A live worker whose registration our snapshot didn't see stays as it is.
on conflict (id) do update set freed = null where worker.gone is not null
returning id
