-- Attempts that ended for good. $1 lease, $2 ids, $3 epochs, $4 states, $5 how long to keep in µs, $6 the time; $7 ids,
-- $8 kinds, $9 messages, $10 chains, $11 epochs, $12 how long they ran in µs, of the failures among them; $13 ids of those
-- that are not kept and may have failed before; $14, $15 how far all of them came, or nothing where none has said so: arrays
-- that are shorter are filled up with nulls; $16 how long ago the failures were, in µs. After a lost answer two ends of one job
-- may stand in a batch, hence the epoch in every join.
with ended as materialized (
  select *, coalesce($6::timestamptz, statement_timestamp()) as now
  from unnest($2::bigint[], $3::int[], $4::smallint[], $5::bigint[], $14::bigint[], $15::bigint[])
         as ended (id, epoch, state, keep, progress, progress_total)),
-- Never waits for a lock: a claim in flight holds stray ones, and what isn't returned is looked at again.
-- A look-up for each: a join that was planned while the table was empty walks all of it.
held as materialized (
  select array(
    select job.tid
    from (select * from ended order by id) as ended
    cross join lateral (
      select ctid as tid from @job
      where id = ended.id and lease = $1::bigint and epoch = ended.epoch
      limit 1
      for update skip locked) as job) as tids),
gone as (
  delete from @job where ctid = any ((select tids from held)::tid[]) returning *),
kept as (
  insert into @history (id, expires, finished, created, run_at, lease, parent, epoch, state, attempt, crashes,
                        max_attempts, rank, version, codec, queue, task, unique_key, headers, extra, payload,
                        progress, progress_total, progress_at)
  select gone.id, now + ended.keep * interval '1 microsecond', now, gone.created, gone.run_at, gone.lease, gone.parent,
         gone.epoch, ended.state, gone.attempt, gone.crashes, gone.max_attempts, gone.rank, gone.version, gone.codec,
         gone.queue, gone.task, gone.unique_key, gone.headers, gone.extra, gone.payload,
         coalesce(ended.progress, gone.progress), coalesce(ended.progress_total, gone.progress_total),
         case when ended.progress is null then gone.progress_at else now end
  from gone join ended on ended.id = gone.id and ended.epoch = gone.epoch
  where ended.keep > 0),
-- A key that stays taken: a tombstone with the id of the job that had it. What was cancelled frees its key.
tombs as (
  insert into @job (id, queue, task, rank, run_at, created, lane, max_attempts, codec, payload, unique_key)
  select gone.id, queue, task, rank, now + (extra ->> 'unique_for')::bigint * interval '1 microsecond', now, 3, 1, codec,
         '', unique_key
  from gone join ended on ended.id = gone.id and ended.epoch = gone.epoch
  where unique_key is not null and extra ? 'unique_for' and ended.state <> 5),
forgotten as (
  delete from @failure
  where job = any (array(select gone.id from unnest($13::bigint[]) as unkept (id) join gone on gone.id = unkept.id))),
failed as (
  insert into @failure (job, epoch, attempt, worker, started, ended, kind, message, chain)
  select gone.id, gone.epoch, gone.attempt, (select host || ':' || pid from @worker where id = $1),
         now - (failure.ago + failure.ran) * interval '1 microsecond', now - failure.ago * interval '1 microsecond',
         failure.kind, failure.message, failure.chain
  from unnest($7::bigint[], $8::text[], $9::text[], $10::jsonb[], $11::int[], $12::bigint[], $16::bigint[])
         as failure (job, kind, message, chain, epoch, ran, ago)
  join gone on gone.id = failure.job and gone.epoch = failure.epoch,
       coalesce($6, statement_timestamp()) as now)
select coalesce(array_agg(id), '{}'), coalesce(array_agg(epoch), '{}') from gone
