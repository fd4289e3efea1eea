-- A sign of life of the worker $1, and which of its running jobs were cancelled, said with every beat for as long as they run, so
-- that an answer which is lost loses no wish; $2 the time. In the same look the other workers of this namespace, and whether one of
-- their connections is there: each of these holds the advisory lock of its worker's lease, and the server lets go of it when the
-- connection ends. Also whose eyes these are.
with beat as (
  update @worker set beat = coalesce($2::timestamptz, clock_timestamp()) where id = $1::bigint and gone is null
  returning id),
told as (
  select signal.job, signal.epoch, signal.why
  from @signal as signal
  cross join lateral (
    select from @job where id = signal.job and lease = $1 and epoch = signal.epoch limit 1) as running
  where signal.worker = $1),
held as materialized (
  select (classid::bigint << 32) | objid::bigint as lease
  from pg_locks
  where locktype = 'advisory' and objsubid = 1 and granted
    and database = (select oid from pg_database where datname = current_database()))
select exists (select from beat) as alive, told.job, told.epoch, told.why, null::bigint as lease, null::timestamptz as beat,
       null::boolean as held, pg_backend_pid() as eyes
from (select) as always left join told on true
union all
select true, null, null, null, worker.id, worker.beat, exists (select from held where lease = worker.id), pg_backend_pid()
from @worker as worker
where worker.gone is null and worker.visible and worker.id <> $1
