-- Wishes to cancel claims that are no more: their worker is gone, or the attempt has ended without having heard. But for the jobs
-- $1.
select worker, job, epoch, why
from @signal as signal
where not exists (
  select
  from @worker as worker
  cross join lateral (
    select from @job where id = signal.job and lease = worker.id and epoch = signal.epoch limit 1) as running
  where worker.id = signal.worker and worker.gone is null)
  and job <> all ($1::bigint[])
