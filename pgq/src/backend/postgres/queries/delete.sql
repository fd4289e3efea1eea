-- Deletes the jobs $1 unless they run, and all that is known of them. One row for each.
with wanted as materialized (select distinct id from unnest($1::bigint[]) as id),
found as materialized (
  select job.ctid as tid, job.id, job.lane
  from wanted join @job as job on job.id = wanted.id
  where job.lease is null
  order by job.id
  for update of job skip locked),
queued as (
  delete from @job where ctid = any (array(select tid from found)) returning id, lane),
finished as (
  delete from @history as history using wanted where history.id = wanted.id returning history.id),
gone as materialized (
  select id from queued where lane <> 3 union select id from finished),
forgotten as (
  delete from @failure as failure using gone where failure.job = gone.id)
select wanted.id, gone.id is not null as done,
       coalesce(job.lease is not null, false) as running,
       -- Somebody has it locked just now: try again.
       gone.id is null and job.id is not null and job.lease is null as busy
from wanted
left join gone on gone.id = wanted.id
left join @job as job on job.id = wanted.id and job.lane <> 3
