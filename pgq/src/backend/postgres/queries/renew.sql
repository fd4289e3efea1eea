-- A sign of life of the worker $1, and which of its running jobs were cancelled, said with every beat for as long as they run, so
-- that an answer which is lost loses no wish; $2 the time.
with beat as (
  update @worker set beat = coalesce($2::timestamptz, clock_timestamp()) where id = $1::bigint and gone is null
  returning id),
told as (
  select signal.job, signal.epoch, signal.why
  from @signal as signal
  cross join lateral (
    select from @job where id = signal.job and lease = $1 and epoch = signal.epoch limit 1) as running
  where signal.worker = $1)
select exists (select from beat) as alive, told.job, told.epoch, told.why
from (select) as always left join told on true
