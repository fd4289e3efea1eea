-- Deletes the jobs $1 unless they run, and all that is known of them. One row for each. A look-up for each: whoever knows
-- little of history scans it for a join.
with wanted as materialized (select distinct id from unnest($1::bigint[]) as id),
found as materialized (
  select job.*
  from wanted
  cross join lateral (
    select ctid as tid, id, lane from @job where id = wanted.id and lease is null limit 1 for update skip locked) as job),
queued as (
  delete from @job where ctid = any (array(select tid from found)) returning id, lane),
finished as (
  delete from @history where id = any (array(select id from wanted)) returning id),
gone as materialized (
  select id from queued where lane <> 3 union select id from finished),
forgotten as (
  delete from @failure where job = any (array(select id from gone)))
select wanted.id, gone.id is not null as done,
       coalesce(job.lease is not null, false) as running,
       -- Somebody has it locked just now: try again.
       gone.id is null and job.id is not null and job.lease is null as busy
from wanted
left join gone on gone.id = wanted.id
left join lateral (select id, lease from @job where id = wanted.id and lane <> 3 limit 1) as job on true
