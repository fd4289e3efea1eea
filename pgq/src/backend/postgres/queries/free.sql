-- Frees up to $1 jobs of workers that are gone, and notes which crashed; $2 the time. $3 with how many crashes a job is a
-- suspect, $4 with how many it is discarded, $5 how long a suspect waits at first, in µs. The same decision as in the core,
-- for many at once. Of the jobs $6 only, unless that is null, and not $7. A job that stood before its gates had not begun:
-- it bears no blame, and its attempt is refunded.
with found as materialized (
  select job.ctid as tid, job.id, job.lease, concat(worker.host, ':', worker.pid) as holder, begun,
         begun and (job.crashes + 1 >= $4::int or job.attempt >= job.max_attempts) as over,
         case when begun and job.crashes + 1 >= $3::int then $5::bigint * power(3, job.crashes + 1 - $3)::bigint
              else 0 end as pause
  from @job as job
  join @worker as worker on worker.id = job.lease
  cross join lateral (
    select not exists (
      select from jsonb_array_elements_text(
        case jsonb_typeof(job.extra -> 'limit_keys') when 'array' then job.extra -> 'limit_keys' end) as key (name)
      where not exists (
        select from @pass as pass
        where pass.gate = key.name and pass.job = job.id and pass.epoch = job.epoch)) as begun) as standing
  where job.lease = any (array(select id from @worker where gone is not null and freed is null))
    -- The scan isn't begun where nobody is gone, which is nearly always.
    and exists (select from @worker where gone is not null and freed is null)
    and ($6::bigint[] is null or job.id = any ($6)) and job.id <> all ($7::bigint[])
  limit $1::bigint
  for update of job skip locked),
given as (select coalesce($2::timestamptz, clock_timestamp()) as now),
freed as (
  update @job as job
  set lease = null, attempt = job.attempt - (not found.begun)::int, crashes = job.crashes + found.begun::int,
      retrying = found.pause > 0,
      lane = case when found.pause > 0 then 1 else 0 end,
      limit_key = job.extra #>> '{limit_keys,0}',
      -- Nobody is to blame the first time, so it keeps its place.
      run_at = case when found.pause > 0 then now + found.pause * interval '1 microsecond' else job.run_at end
  from found, given
  where job.ctid = found.tid and not found.over
  returning job.id, job.epoch, job.attempt, job.queue, job.task, found.lease as was_of, found.holder, found.begun,
            found.pause = 0 as ready),
over as (
  delete from @job as job using found where job.ctid = found.tid and found.over returning job.*, found.holder),
kept as (
  insert into @history (id, expires, finished, created, run_at, lease, parent, epoch, state, attempt, crashes,
                        max_attempts, rank, version, codec, queue, task, unique_key, headers, extra, payload,
                        progress, progress_total, progress_at)
  select over.id, now + keep * interval '1 microsecond', now, over.created, over.run_at, over.lease, over.parent,
         over.epoch, 6, over.attempt, over.crashes + 1, over.max_attempts, over.rank, over.version, over.codec,
         over.queue, over.task, over.unique_key, over.headers, over.extra, over.payload,
         over.progress, over.progress_total, over.progress_at
  from over left join @task as task on task.name = over.task, given,
       -- What the task declares; a week where no worker has declared it.
       coalesce((task.options #>> '{keep,discarded}')::bigint, 604800000000) as keep
  where keep > 0
  returning id, epoch, attempt),
forgotten as (
  delete from @failure where job = any (array(select id from over except select id from kept))),
-- As in finish.sql: a key that stays taken.
tombs as (
  insert into @job (id, queue, task, rank, run_at, created, lane, max_attempts, codec, payload, unique_key)
  select id, queue, task, rank, now + (extra ->> 'unique_for')::bigint * interval '1 microsecond', now, 3, 1, codec, '',
         unique_key
  from over, given
  where unique_key is not null and extra ? 'unique_for'),
-- As where attempts fail: the last hundred are kept.
trimmed as (
  delete from @failure
  where ctid = any (array(
    select old.tid
    from freed
    cross join lateral (
      select ctid as tid from @failure where job = freed.id order by epoch desc offset 99) as old
    where freed.epoch > 100))),
failed as (
  insert into @failure (job, epoch, attempt, worker, ended, kind, message, chain)
  select id, epoch, attempt, holder, now, 'crashed',
         'the worker ' || holder || ' fell silent while it held the job', '[]'
  from given, (select id, epoch, attempt, holder from freed where begun
               union all
               select id, epoch, attempt, holder from over join kept using (id, epoch, attempt)) as crashed)
select queue, task, ready, id, false as over, attempt, holder, was_of from freed
union all
select queue, task, false, id, true, attempt, holder, lease from over
