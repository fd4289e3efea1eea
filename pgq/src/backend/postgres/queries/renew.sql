-- A sign of life of the worker $1, and what it was told meanwhile; $2 the time.
with beat as (
  update @worker set beat = coalesce($2::timestamptz, clock_timestamp()) where id = $1::bigint and gone is null
  returning id),
told as (delete from @signal where worker = $1 returning job, epoch, why)
select exists (select from beat) as alive, told.job, told.epoch, told.why
from (select) as always left join told on true
