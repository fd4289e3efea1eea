-- Jobs of the tasks $1 that run, under whatever name and in whatever queue, $2 at most, how many there are among the first
-- 10,000 of each queue and task, as what runs was the first to be claimed, and where they run: nowhere where their worker is gone.
with recursive names as materialized (
  select unnest($1::text[]) as name
  union
  select jsonb_array_elements_text(case jsonb_typeof(options -> 'aliases') when 'array' then options -> 'aliases' end)
  from @task
  where name = any ($1)),
-- One after the other, as each may have many jobs.
queues as (
  select (select job.queue from @job as job where job.lane = 0 and job.queue >= '' order by job.queue limit 1) as queue
  union all
  select (select job.queue from @job as job where job.lane = 0 and job.queue > queues.queue order by job.queue limit 1)
  from queues
  where queues.queue is not null)
select running.id, count(*) over (), worker.host || ':' || worker.pid
from queues
cross join names
cross join lateral (
  select first.id, first.lease
  from (
    select job.id, job.lease from @job as job
    where job.queue = queues.queue and job.task = names.name and job.lane = 0
    order by job.rank, job.run_at, job.id
    limit 10000) as first
  where first.lease is not null) as running
left join @worker as worker on worker.id = running.lease and worker.gone is null
order by running.id
limit $2::bigint
