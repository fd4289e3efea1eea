-- The gates $1, locked before, as they stand: their bounds, how many run that have passed, the first job that waits for one that
-- lets one at a time through (the jobs $2 apart), and how many wait, if $3, counted as far as it matters, and are ready before
-- them; $4 the time; $5 queues and $6 tasks of the jobs that stand before them.
select gate.name, bound.concurrency, bound.interval_ns, bound.burst, held.running, gate.rest, gate.opens,
       first.rank, first.run_at, first.id,
       (select count(*)
        from (select from @job as job
              where $3::boolean and job.limit_key = gate.name and job.lane = 2
              limit greatest(coalesce(bound.concurrency - held.running, bound.burst, 999), 0) + 1 + before.ahead) as counted)
         as waiting,
       coalesce($4::timestamptz, statement_timestamp()) as now,
       before.ahead
from @gate as gate
left join @limit as known on known.name = gate."limit"
cross join lateral (
  select case when gate.overridden then gate.own_concurrency when known.overridden then known.own_concurrency
              else known.concurrency end as concurrency,
         case when gate.overridden then gate.own_interval_ns when known.overridden then known.own_interval_ns
              else known.interval_ns end as interval_ns,
         case when gate.overridden then gate.own_burst when known.overridden then known.own_burst
              else known.burst end as burst) as bound
cross join lateral (select count(*) as running from @pass as pass where pass.gate = gate.name) as held
-- The queues and tasks of which jobs are ready here, where that matters: one after the other, as each may have many.
cross join lateral (
  select case when $3 or bound.concurrency = 1 then array(
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
    select (queue, task) from lane) end as lanes) as here
cross join lateral (
  select count(*) as ahead
  from (
    select from unnest(here.lanes) as lane (queue text, task text)
    cross join lateral (
      select from @job as job
      where $3 and job.limit_key = gate.name and job.queue = lane.queue and job.task = lane.task and job.lane = 0
        and job.lease is null
        and (job.rank, job.run_at, job.id) < (
          select waits.rank, waits.run_at, waits.id from @job as waits
          where waits.limit_key = gate.name and waits.lane = 2
          order by waits.rank, waits.run_at, waits.id
          limit 1)
      limit 1000) as job
    limit 1000) as counted) as before
left join lateral (
  select waits.rank, waits.run_at, waits.id
  from (
    (select rank, run_at, id from @job as job
     where bound.concurrency = 1 and not $3 and job.limit_key = gate.name and job.lane = 2
     order by job.rank, job.run_at, job.id
     limit 1)
    union all
    -- Who was claimed elsewhere and stands before the gate has his turn too; who has passed has had it. One of the same queue and
    -- task that is free is being claimed just now; one of others may wait for a worker that there is none of. Those that are
    -- claimed were the first of their queue and task, so it isn't looked far.
    select early.rank, early.run_at, early.id
    from unnest(here.lanes) as lane (queue text, task text)
    cross join lateral (
      select job.rank, job.run_at, job.id
      from (
        select rank, run_at, id, lease, crashes, epoch, attempt, expires_at from @job as job
        where bound.concurrency = 1 and not $3 and job.limit_key = gate.name and job.queue = lane.queue
          and job.task = lane.task and job.lane = 0 and job.id <> all ($2::bigint[])
        order by job.rank, job.run_at, job.id
        limit 100) as job
      where case when job.lease is null
                 then job.crashes < 2 and (lane.queue, lane.task) in (select * from unnest($5::text[], $6::text[]))
                 else not exists (
                   select from @pass as pass
                   where pass.job = job.id and pass.gate = gate.name and pass.epoch = job.epoch) end
        -- Whoever comes too late passes by.
        and (job.expires_at is null or job.attempt > case when job.lease is null then 0 else 1 end
             or job.expires_at > coalesce($4, statement_timestamp()))
      order by job.rank, job.run_at, job.id
      limit 1) as early) as waits
  order by waits.rank, waits.run_at, waits.id
  limit 1) as first on true
where gate.name = any ($1::text[])
