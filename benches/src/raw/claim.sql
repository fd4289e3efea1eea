-- $1 lease, $2 queues, $3 tasks, $4 caps, $5 how many in all.
with me as materialized (select from raw.worker where id = $1 and gone is null for key share),
picked as materialized (
  select array(
    select head.tid
    from me, unnest($2::text[], $3::text[], $4::bigint[]) as want (queue, task, cap)
    cross join lateral (
      select job.ctid as tid, job.rank, job.run_at, job.id
      from raw.job
      where job.queue = want.queue and job.task = want.task and job.lane = 0 and job.lease is null
      order by job.rank, job.run_at, job.id
      limit want.cap
      for update skip locked) as head
    order by head.rank, head.run_at, head.id
    limit $5::bigint) as tids)
update raw.job
set lease = $1, epoch = epoch + 1, attempt = attempt + 1
where ctid = any ((select tids from picked)::tid[])
returning id, epoch, attempt, max_attempts, crashes, queue, task, version, codec, rank, run_at, created, headers, payload,
          (select cardinality(tids) from picked) as locked
