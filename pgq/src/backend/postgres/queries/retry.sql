-- Brings finished jobs ($1) back, available at once; $2 the time. Inserted first and then deleted from history, and only what
-- was inserted: the other way round a conflict would lose jobs. Attempts go on counting, and as many as the job had at first
-- are granted anew. One row for each.
with wanted as materialized (select distinct id from unnest($1::bigint[]) as id),
found as materialized (
  select history.*, coalesce((history.extra ->> 'granted')::int, history.max_attempts) as granted
  from wanted
  -- A look-up for each: whoever knows little of history scans it for a join.
  cross join lateral (select * from @history as history where history.id = wanted.id limit 1) as history),
back as (
  insert into @job (id, run_at, created, parent, epoch, attempt, max_attempts, lane, rank, version, codec, queue, task,
                    unique_key, headers, extra, payload, limit_key, progress, progress_total, progress_at)
  select found.id, coalesce($2::timestamptz, statement_timestamp()), found.created, found.parent, found.epoch,
         found.attempt, least(found.attempt + found.granted, 32767), 0, found.rank, found.version, found.codec,
         found.queue, found.task, found.unique_key, found.headers,
         coalesce(found.extra, '{}') || jsonb_build_object('granted', found.granted), found.payload,
         found.extra #>> '{limit_keys,0}', found.progress, found.progress_total, found.progress_at
  from found
  order by found.task, found.unique_key, found.id
  on conflict do nothing
  returning id, queue, task),
gone as (
  delete from @history where id = any (array(select id from back))),
-- A wish that came too late isn't for what runs from now on.
unsaid as (
  delete from @signal where job = any (array(select id from back)))
select wanted.id, back.queue, back.task, back.id is not null as done, found.id is not null as finished,
       job.id is not null as queued
from wanted
left join back on back.id = wanted.id
left join found on found.id = wanted.id
left join @job as job on job.id = wanted.id and job.lane <> 3
