-- Wishes to cancel claims that are no more: their worker is gone, or the attempt has ended without having heard.
delete from @signal as signal
where not exists (
  select
  from @worker as worker
  cross join lateral (
    select from @job where id = signal.job and lease = worker.id and epoch = signal.epoch limit 1) as running
  where worker.id = signal.worker and worker.gone is null)
returning job, why
