-- $1 how many at most, $2 the time, $3 the lock that one promoter at a time holds; $4 of which jobs only, unless that is null, and
-- $5 of which not. Takes the time as a stable expression: clock_timestamp() is volatile and would be a filter, not an index
-- condition.
with turn as materialized (select pg_try_advisory_xact_lock($3::bigint) as mine),
moved as (
  update @job
  set lane = 0
  where ctid = any (array(
    select job.ctid from @job as job
    -- Asked once and before the index is walked: whoever didn't get the lock reads nothing.
    where (select mine from turn) and job.lane = 1 and job.run_at <= coalesce($2::timestamptz, statement_timestamp())
      and ($4::bigint[] is null or job.id = any ($4)) and job.id <> all ($5::bigint[])
    order by job.run_at, job.id
    limit $1::bigint
    for update of job skip locked))
  returning queue, task),
waiting as (
  select run_at from @job
  where lane = 1 and run_at > coalesce($2, statement_timestamp())
  order by run_at, id
  limit 1)
select moved.queue, moved.task, moved.jobs,
       (select (extract(epoch from run_at - coalesce($2, statement_timestamp())) * 1000000)::bigint from waiting) as next,
       -- The next gate of a limit key.
       (select ceil(extract(epoch from opens - coalesce($2, statement_timestamp())) * 1000000)::bigint
        from @gate
        where opens > '-infinity'
        order by opens
        limit 1) as opens
from (select) as always
left join (select queue, task, count(*) as jobs from moved group by queue, task) as moved on true
