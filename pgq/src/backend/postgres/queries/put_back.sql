-- Attempts whose jobs run again. $1 lease, $2 ids, $3 epochs, $4 delays in µs (null keeps the job's place), $5 attempts
-- refunded, $6 whether it waits for a retry, $7 the time; $8 ids, $9 kinds, $10 messages, $11 chains, $12
-- epochs, $13 how long they ran in µs, of the failures; $14, $15 how far all came, $16 how long ago the
-- failures were, as in finish.sql.
with ended as materialized (
  select * from unnest($2::bigint[], $3::int[], $4::bigint[], $5::smallint[], $6::boolean[], $14::bigint[],
                       $15::bigint[])
                  as ended (id, epoch, delay, refund, retrying, progress, progress_total)),
held as materialized (
  -- A look-up for each: a join that was planned while the table was empty walks all of it.
  select job.tid, job.attempt, ended.*
  from (select * from ended order by id) as ended
  cross join lateral (
    select ctid as tid, attempt from @job
    where id = ended.id and lease = $1::bigint and epoch = ended.epoch
    limit 1
    for update skip locked) as job),
back as (
  update @job as job
  set lease = null,
      attempt = job.attempt - held.refund,
      retrying = held.retrying,
      -- Whoever ended by himself killed nobody; what is handed back did neither.
      crashes = case when held.delay is null then job.crashes else 0 end,
      lane = case when held.delay > 0 then 1 else 0 end,
      -- It may have waited at another gate than the first, which holds it up no longer.
      limit_key = job.extra #>> '{limit_keys,0}',
      progress = coalesce(held.progress, job.progress),
      progress_total = coalesce(held.progress_total, job.progress_total),
      progress_at = case when held.progress is null then job.progress_at
                         else coalesce($7::timestamptz, statement_timestamp()) end,
      -- It has begun, and in time.
      expires_at = null,
      run_at = coalesce(coalesce($7, statement_timestamp()) + held.delay * interval '1 microsecond',
                        job.run_at)
  from held
  where job.ctid = held.tid
  returning job.id, job.epoch, job.queue, job.task, job.lane = 0 as ready, held.delay),
-- Who fails for ever keeps the last hundred. There is no more than one for each claim, so nearly nobody looks.
trimmed as (
  delete from @failure
  where ctid = any (array(
    select old.tid
    from held
    cross join lateral (
      select ctid as tid from @failure where job = held.id order by epoch desc offset 99) as old
    where held.epoch > 100 and held.retrying))),
failed as (
  insert into @failure (job, epoch, attempt, worker, started, ended, kind, message, chain)
  select held.id, held.epoch, held.attempt, (select host || ':' || pid from @worker where id = $1),
         now - (failure.ago + failure.ran) * interval '1 microsecond', now - failure.ago * interval '1 microsecond',
         failure.kind, failure.message, failure.chain
  from unnest($8::bigint[], $9::text[], $10::text[], $11::jsonb[], $12::int[], $13::bigint[], $16::bigint[])
         as failure (job, kind, message, chain, epoch, ran, ago)
  join held on held.id = failure.job and held.epoch = failure.epoch
  -- What was locked and is another version by now comes once more, with its failure.
  join back on back.id = held.id,
       coalesce($7, statement_timestamp()) as now)
select id, epoch, queue, task, ready, delay from back
