-- Moves schedules on that stand where they were seen, and enqueues the jobs of their ticks. Of each schedule $1 the name,
-- $2 the generation, $3 the last tick and $4 the one that waits as they were seen, $5 and $6 the same from now on, $7 the
-- tick that is fired, where one is; of each job $8 the place of its schedule among these, $9 its tick, $10 headers, $11 what
-- few jobs have. $12 the codec of all payloads, $13 the time, or null for the database's.
-- One statement, so that a hundred that share a tick cost one trip and one wait for the disk, which this one is worth.
with durable as materialized (select set_config('synchronous_commit', 'on', true)),
-- Whoever finds one locked leaves its tick to who has it.
standing as materialized (
  select given.*, here.*
  from durable,
       unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
              $7::timestamptz[])
       with ordinality as given (name, generation, seen, seen_waiting, last, waiting, fired, place)
  cross join lateral (
    select task, queue, rank, max_attempts, expires_in, payload, limit_keys
    from @schedule as schedule
    where schedule.name = given.name and schedule.generation = given.generation and schedule.last = given.seen
      and schedule.waiting is not distinct from given.seen_waiting
    for update skip locked) as here),
entry as materialized (
  select standing.*, ticked.at, ticked.headers, ticked.extra, row_number() over (order by ticked.place) as nth
  from unnest($8::bigint[], $9::timestamptz[], $10::jsonb[], $11::jsonb[])
       with ordinality as ticked (schedule, at, headers, extra, place)
  join standing on standing.place = ticked.schedule),
-- Rows are inserted and numbered in the order in which they are selected.
new as (
  insert into @job (queue, task, rank, run_at, created, lane, max_attempts, codec, headers, payload, expires_at, extra,
                    limit_key)
  select queue, task, rank, at, now, case when at > now then 1 else 0 end, max_attempts, $12::smallint, headers, payload,
         greatest(at, now) + expires_in * interval '1 microsecond',
         extra || case when cardinality(limit_keys) > 0 then jsonb_build_object('limit_keys', limit_keys) else '{}' end,
         limit_keys[1]
  from entry, coalesce($13::timestamptz, statement_timestamp()) as now
  order by nth
  returning id),
made as (select id, row_number() over (order by id) as nth from new),
latest as (
  select entry.place, max(made.id) as job, count(*) as jobs
  from entry join made using (nth)
  group by entry.place),
-- By name and not by ctid: a row that somebody has touched since our snapshot is locked in a version that we don't see.
moved as (
  update @schedule as schedule
  set last = standing.last, waiting = standing.waiting, fired = coalesce(standing.fired, schedule.fired),
      job = coalesce(latest.job, schedule.job)
  from standing left join latest using (place)
  where schedule.name = standing.name
  returning standing.place, standing.queue, standing.task, coalesce(latest.jobs, 0) as jobs)
select place, queue, task, jobs from moved
