-- Frees up to $1 jobs of workers that are gone, and notes which crashed; $2 the time.
with found as materialized (
  select ctid as tid, id, lease from @job
  where lease = any (array(select id from @worker where gone is not null and freed is null))
    -- The scan isn't begun where nobody is gone, which is nearly always.
    and exists (select from @worker where gone is not null and freed is null)
  limit $1::bigint
  for update skip locked),
freed as (
  update @job
  set lease = null, crashes = crashes + 1, run_at = coalesce($2::timestamptz, clock_timestamp())
  where ctid = any (array(select tid from found))
  returning id, epoch, attempt, queue, task),
-- As where attempts fail: the last hundred are kept.
trimmed as (
  delete from @failure
  where ctid = any (array(
    select old.tid
    from freed
    cross join lateral (
      select ctid as tid from @failure where job = freed.id order by epoch desc offset 99) as old
    where freed.epoch > 100))),
failed as (
  insert into @failure (job, epoch, attempt, worker, ended, kind, message, chain)
  select freed.id, freed.epoch, freed.attempt, name, coalesce($2, clock_timestamp()), 'crashed',
         'the worker ' || name || ' fell silent while it held the job', '[]'
  from freed
  join found on found.id = freed.id
  join @worker as worker on worker.id = found.lease,
       concat(worker.host, ':', worker.pid) as name)
select queue, task from freed
