-- Of those that wait at the gates $1, which are locked, so many ($2) may be claimed, the first of each; when the gates open next
-- ($3), if that has to be said, when they are at rest ($4) and clear ($5), and by which rate ($6). Waits for nobody's lock: who edits
-- a job makes it ready or leaves it to the next time.
with ready as (
  update @job set lane = 0
  where ctid = any (array(
    select parked.tid
    from unnest($1::text[], $2::bigint[]) as given (gate, free)
    cross join lateral (
      select ctid as tid from @job
      where limit_key = given.gate and lane = 2
      order by rank, run_at, id
      limit given.free
      for update skip locked) as parked))
  returning queue, task),
-- A look-up for each: as a join it may walk all gates.
opened as (
  update @gate as gate
  set opens = given.opens, rest = given.rest, clear = given.clear, pace = given.pace
  from unnest($1, $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::bigint[]) as given (name, opens, rest, clear, pace)
  cross join lateral (select ctid as tid from @gate where name = given.name limit 1) as locked
  where gate.ctid = locked.tid
    and (gate.opens, gate.rest, gate.clear, gate.pace) is distinct from (given.opens, given.rest, given.clear, given.pace))
select queue, task, count(*) from ready group by queue, task
