-- A sign of life of the worker $1, and which of its running jobs were cancelled, said with every beat for as long as they run, so
-- that an answer which is lost loses no wish; $2 the time. In the same look the other workers of this namespace, and whether one of
-- their connections is there: each of these holds the advisory lock of its worker's lease, and the server lets go of it when the
-- connection ends. Also whose eyes these are, the time, and since when the server has been there.
-- And what there is to do for who rests: of the queues $3 and tasks $4 whether there is something to claim, with $5 also where that is a
-- suspect, a job of $6 crashes or more; with $7 when a job is due, or whether a gate has
-- been for $10 µs, with $8 whether the schedules have changed or a tick waits
-- for nothing any more, with $9 whether somebody is gone and what he held isn't free, or a wish to cancel has found nothing that
-- runs. What isn't asked for isn't read. Also whether the server may have forgotten claims of this worker.
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
    and database = (select oid from pg_database where datname = current_database())),
given as materialized (select coalesce($2, statement_timestamp()) as now),
paused as materialized (
  select kind, name from @pause where until is null or until > (select now from given)),
wanted as materialized (
  select want.queue, want.task
  from unnest($3::text[], $4::text[]) as want (queue, task)
  where not exists (
    select from paused
    where kind = 'queue' and name = want.queue or kind = 'task' and name = want.task)),
outlook as materialized (
  select exists (
           select from wanted
           cross join lateral (
             select from @job as job
             where job.queue = wanted.queue and job.task = wanted.task and job.lane = 0 and job.lease is null
               and (job.crashes < $6::int or $5::boolean)
             order by job.rank, job.run_at, job.id
             limit 1) as first) as ready,
         case when $7::boolean then (
           select ceil(extract(epoch from least(
             (select run_at from @job where lane = 1 and run_at > '-infinity' order by run_at, id limit 1),
             (select opens from @gate
              where opens <= now - $10::bigint * interval '1 microsecond'
              order by opens
              limit 1)) - now) * 1000000)::bigint
           from given) end as due,
         case when $8::boolean then (
           select coalesce(hashtextextended(
             string_agg(concat_ws('/', name, generation, cadence, zone, created, paused), ',' order by name)
             || (select coalesce(string_agg(distinct edition::text, ','), '') from @worker where gone is null), 0), 0)
           from @schedule) else 0 end as mark,
         $8 and exists (
           select from @schedule as schedule
           where schedule.waiting is not null and schedule.paused is null
             and not coalesce((select job.lane <> 3 from @job as job where job.id = schedule.job), false)) as overdue,
         $9::boolean
         and (exists (select from @worker where gone is not null and freed is null)
              or exists (
                select from @signal as signal
                where signal.worker = $1
                  and (select id from @job where id = signal.job and lease = $1 and epoch = signal.epoch) is null)) as lost,
         (select now from given) as now)
select exists (select from beat) as alive, told.job, told.epoch, told.why, null::bigint as lease, null::timestamptz as beat,
       null::boolean as held, pg_backend_pid() as eyes, null::bigint as span, ready, due, mark, overdue, lost, now,
       pg_postmaster_start_time() as server, not exists (select from @remembered where worker = $1) as forgetful
from outlook left join told on true
union all
select true, null, null, null, worker.id, worker.beat,
       case when worker.visible then exists (select from held where lease = worker.id) end, pg_backend_pid(),
       (extract(epoch from worker.span) * 1000000)::bigint, null, null, null, null, null, null, null, null
from @worker as worker
where worker.gone is null and worker.id <> $1
