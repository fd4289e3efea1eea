-- Cancels the jobs $1: queued ones at once, running ones by a word to their worker. $2 why, $3 the time. One row for each.
with wanted as materialized (select distinct id from unnest($1::bigint[]) as id),
found as materialized (
  select job.ctid as tid, job.id, job.lease, job.epoch
  from wanted join @job as job on job.id = wanted.id
  where job.lane <> 3
  order by job.id
  for update of job skip locked),
gone as (
  delete from @job where ctid = any (array(select tid from found where lease is null)) returning *),
kept as (
  insert into @history (id, expires, finished, created, run_at, parent, epoch, state, attempt, crashes, max_attempts,
                        rank, version, codec, queue, task, unique_key, headers, extra, payload,
                        progress, progress_total, progress_at)
  select gone.id, now + keep * interval '1 microsecond', now, gone.created, gone.run_at, gone.parent, gone.epoch, 5,
         gone.attempt, gone.crashes, gone.max_attempts, gone.rank, gone.version, gone.codec, gone.queue, gone.task,
         gone.unique_key, gone.headers, gone.extra, gone.payload,
         gone.progress, gone.progress_total, gone.progress_at
  from gone left join @task as task on task.name = gone.task,
       coalesce($3::timestamptz, statement_timestamp()) as now,
       -- What the task declares; a week where no worker has declared it.
       coalesce((task.options #>> '{keep,cancelled}')::bigint, 604800000000) as keep
  where keep > 0
  returning id, epoch, attempt),
forgotten as (
  delete from @failure where job = any (array(select id from gone except select id from kept))),
failed as (
  insert into @failure (job, epoch, attempt, ended, kind, message, chain)
  select id, epoch, attempt, coalesce($3, statement_timestamp()), 'cancelled', $2::text, '[]' from kept),
told as (
  insert into @signal (worker, job, epoch, why) select lease, id, epoch, $2 from found where lease is not null
  on conflict (worker, job, epoch) do nothing),
noticed as materialized (
  select pg_notify('pgq_' || lpad(to_hex(lease), 16, '0'), 'c')
  from (select distinct lease from found where lease is not null) as holder)
select wanted.id,
       found.id is not null and found.lease is null as cancelled,
       found.lease is not null as told,
       -- Somebody has it locked just now: try again.
       found.id is null and job.id is not null as busy,
       history.state,
       (select count(*) from noticed) as notices
from wanted
left join found on found.id = wanted.id
left join @job as job on job.id = wanted.id and job.lane <> 3
left join lateral (select state from @history as history where history.id = wanted.id limit 1) as history on true
