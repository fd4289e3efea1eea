-- Lets those through whose gates, read under their locks, have room for all who come, whoever is first; in the lease $1,
-- whose doubts were settled $11 times. $2 the gates, $3 how many jobs stand before each, $4 those jobs, $5 their epochs, $6
-- the gate of each; $7 all jobs of the claim, in the queues $8, of the tasks $9; $10 the time.
-- The other gates are answered as they stand: those with a rate, those where not all find room, and those that let one at a
-- time through, with the first job that waits there. Who has such a one to pass has passed none. Always a row, which tells
-- how many passes were written: none where the worker was declared gone, or the server may have forgotten the claim.
with me as materialized (
  select from @worker
  where id = $1::bigint and gone is null and doubts = $11::int and exists (select from @remembered where worker = $1)
  for key share),
standing as materialized (
  select gate.name, bound.concurrency, bound.interval_ns, bound.burst, gate.rest, gate.opens, asked.jobs,
         (select count(*) from @pass as pass where pass.gate = gate.name) as running,
         @{paces}
  from unnest($2::text[], $3::int[]) as asked (name, jobs)
  cross join lateral (select * from @gate where name = asked.name limit 1) as gate
  left join @limit as known on known.name = gate."limit"
  cross join lateral (@{bounds}) as bound),
narrow as materialized (
  select * from standing where interval_ns is not null or concurrency = 1 or running + jobs > concurrency),
entered as (
  insert into @pass (job, gate, epoch, lease)
  select asked.job, asked.gate, asked.epoch, $1
  from me, unnest($4::bigint[], $5::int[], $6::text[]) as asked (job, epoch, gate)
  where asked.job not in (
    select held.job from unnest($4, $6) as held (job, gate) where held.gate in (select name from narrow))
  returning 1)
select narrow.name, narrow.concurrency, narrow.interval_ns, narrow.burst, narrow.running, narrow.rest, narrow.opens,
       coalesce($10::timestamptz, statement_timestamp()) as now,
       narrow.clear, narrow.pace, narrow.number, narrow.past_ns, narrow.past_until,
       (select count(*) from entered) as entered,
       first.rank, first.run_at, first.id
from (select) as always
left join narrow on true
left join lateral (
  select waits.rank, waits.run_at, waits.id
  from (
    (select rank, run_at, id from @job as job
     where narrow.concurrency = 1 and job.limit_key = narrow.name and job.lane = 2
     order by job.rank, job.run_at, job.id
     limit 1)
    union all
    -- Who was claimed elsewhere and stands before the gate has his turn too; who has passed has had it. One of the same
    -- queue and task that is free is being claimed just now; one of others may wait for a worker that there is none of.
    -- Those that are claimed were the first of their queue and task, so it isn't looked far.
    select early.rank, early.run_at, early.id
    -- The queues and tasks of which jobs are ready here: one after the other, as each may have many.
    from unnest(case when narrow.concurrency = 1 then array(
      with recursive lane as (
        (select job.queue, job.task from @job as job
         where job.limit_key = narrow.name and job.lane = 0
         order by job.queue, job.task
         limit 1)
        union all
        select other.queue, other.task
        from lane
        cross join lateral (
          select job.queue, job.task from @job as job
          where job.limit_key = narrow.name and job.lane = 0 and (job.queue, job.task) > (lane.queue, lane.task)
          order by job.queue, job.task
          limit 1) as other)
      select (queue, task) from lane) end) as lane (queue text, task text)
    cross join lateral (
      select job.rank, job.run_at, job.id
      from (
        select rank, run_at, id, lease, crashes, epoch, attempt, expires_at from @job as job
        where job.limit_key = narrow.name and job.queue = lane.queue and job.task = lane.task and job.lane = 0
          and job.id <> all ($7::bigint[])
        order by job.rank, job.run_at, job.id
        limit 100) as job
      where case when job.lease is null
                 then job.crashes < 2 and (lane.queue, lane.task) in (select * from unnest($8::text[], $9::text[]))
                 else not exists (
                   select from @pass as pass
                   where pass.job = job.id and pass.gate = narrow.name and pass.epoch = job.epoch) end
        -- Whoever comes too late passes by.
        and (job.expires_at is null or job.attempt > case when job.lease is null then 0 else 1 end
             or job.expires_at > coalesce($10, statement_timestamp()))
      order by job.rank, job.run_at, job.id
      limit 1) as early) as waits
  order by waits.rank, waits.run_at, waits.id
  limit 1) as first on true
