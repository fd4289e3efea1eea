-- The gates $1 as they stand: their bounds, the rates that these had since they were counted, how many run that have passed, and, if
-- $2, how many wait, counted as far as it matters, and are ready before them; $3 the time.
select gate.name, bound.concurrency, bound.interval_ns, bound.burst, held.running, gate.rest, gate.opens,
       coalesce($3::timestamptz, statement_timestamp()) as now,
       @{paces},
       (select count(*)
        from (select from @job as job
              where $2::boolean and job.limit_key = gate.name and job.lane = 2
              limit greatest(coalesce(bound.concurrency - held.running, bound.burst, 999), 0) + 1 + before.ahead) as counted)
         as waiting,
       before.ahead
from @gate as gate
left join @limit as known on known.name = gate."limit"
cross join lateral (@{bounds}) as bound
cross join lateral (select count(*) as running from @pass as pass where pass.gate = gate.name) as held
cross join lateral (
  select count(*) as ahead
  from (
    -- The queues and tasks of which jobs are ready here: one after the other, as each may have many.
    select from unnest(case when $2 then array(
      with recursive lane as (
        (select job.queue, job.task from @job as job
         where job.limit_key = gate.name and job.lane = 0
         order by job.queue, job.task
         limit 1)
        union all
        select other.queue, other.task
        from lane
        cross join lateral (
          select job.queue, job.task from @job as job
          where job.limit_key = gate.name and job.lane = 0 and (job.queue, job.task) > (lane.queue, lane.task)
          order by job.queue, job.task
          limit 1) as other)
      select (queue, task) from lane) end) as lane (queue text, task text)
    cross join lateral (
      select from @job as job
      where job.limit_key = gate.name and job.queue = lane.queue and job.task = lane.task and job.lane = 0
        and job.lease is null
        and (job.rank, job.run_at, job.id) < (
          select waits.rank, waits.run_at, waits.id from @job as waits
          where waits.limit_key = gate.name and waits.lane = 2
          order by waits.rank, waits.run_at, waits.id
          limit 1)
      limit 1000) as job
    limit 1000) as counted) as before
where gate.name = any ($1::text[])
