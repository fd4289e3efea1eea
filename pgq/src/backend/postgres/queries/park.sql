-- Of those that are ready before the gates $1, in the queues $2, of the tasks $3, the first $4 of each wait there now. After a look at
-- the gates under their locks, which let nobody through. Suspects are passed by as long as they are ready.
update @job set lane = 2
where ctid = any (array(
  select ready.tid
  from unnest($1::text[], $2::text[], $3::text[]) as closed (gate, queue, task)
  cross join lateral (
    select ctid as tid from @job
    where limit_key = closed.gate and queue = closed.queue and task = closed.task and lane = 0 and lease is null
      and crashes < $5::int
    order by rank, run_at, id
    limit $4::bigint
    for update skip locked) as ready))
