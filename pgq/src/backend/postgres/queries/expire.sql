-- Discards up to $1 jobs that nobody has begun in time and nobody claims, as of a queue that is paused or served by
-- nobody, or behind a gate that lets nobody through.
-- $2 the time, $3 what is said of them. Of the jobs $4 only, unless that is null, and not $5. What is claimed too late is
-- discarded by its worker.
with given as (select coalesce($2::timestamptz, statement_timestamp()) as now),
found as materialized (
  select job.ctid as tid
  from @job as job
  where job.expires_at <= (select now from given) and job.attempt = 0 and job.lease is null and job.lane <> 3
    and ($4::bigint[] is null or job.id = any ($4)) and job.id <> all ($5::bigint[])
  order by job.expires_at
  limit $1::bigint
  for update skip locked),
gone as (
  delete from @job as job using found where job.ctid = found.tid returning job.*),
kept as (
  insert into @history (id, expires, finished, created, run_at, parent, epoch, state, attempt, crashes, max_attempts,
                        rank, version, codec, queue, task, unique_key, headers, extra, payload,
                        progress, progress_total, progress_at)
  select gone.id, now + keep * interval '1 microsecond', now, gone.created, gone.run_at, gone.parent, gone.epoch, 6,
         gone.attempt, gone.crashes, gone.max_attempts, gone.rank, gone.version, gone.codec, gone.queue, gone.task,
         gone.unique_key, gone.headers, gone.extra, gone.payload,
         gone.progress, gone.progress_total, gone.progress_at
  from gone left join @task as task on task.name = gone.task, given,
       coalesce((task.options #>> '{keep,discarded}')::bigint, 604800000000) as keep
  where keep > 0
  returning id, epoch, attempt),
-- As in finish.sql: a key that stays taken.
tombs as (
  insert into @job (id, queue, task, rank, run_at, created, lane, max_attempts, codec, payload, unique_key)
  select id, queue, task, rank, now + (extra ->> 'unique_for')::bigint * interval '1 microsecond', now, 3, 1, codec, '',
         unique_key
  from gone, given
  where unique_key is not null and extra ? 'unique_for'),
failed as (
  insert into @failure (job, epoch, attempt, ended, kind, message, chain)
  select id, epoch, attempt, now, 'expired', $3::text, '[]' from kept, given)
select id, task, attempt from gone
