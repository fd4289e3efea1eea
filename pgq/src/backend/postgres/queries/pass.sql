-- Who has passed gates that were read under their locks, in the lease $1, whose doubts were settled $11 times: $2 jobs, $3 gates, $9
-- epochs. What has changed of gates: $4 names, $5 when they are at rest, $12 when they are clear, $13 by which rate, $6 when they open.
-- Who is held up: $7 jobs, $10 epochs, $8 the gate at which each waits, or null where it is handed back; the attempt is refunded, and
-- the job keeps its place. Answers how many passes were written: none where the worker was declared gone, or the server may have
-- forgotten the claim.
with me as materialized (
  select from @worker
  where id = $1::bigint and gone is null and doubts = $11::int and exists (select from @remembered where worker = $1)
  for key share),
passed as (
  insert into @pass (job, gate, epoch, lease)
  select asked.job, asked.gate, asked.epoch, $1
  from me, unnest($2::bigint[], $3::text[], $9::int[]) as asked (job, gate, epoch)
  returning 1),
-- A look-up for each: as a join it may walk all gates.
moved as (
  update @gate as gate
  set rest = moved.rest, opens = moved.opens, clear = moved.clear, pace = moved.pace
  from unnest($4::text[], $5::timestamptz[], $6::timestamptz[], $12::timestamptz[], $13::bigint[])
         as moved (name, rest, opens, clear, pace)
  cross join lateral (select ctid as tid from @gate where name = moved.name limit 1) as locked
  where gate.ctid = locked.tid
    and (gate.rest, gate.opens, gate.clear, gate.pace) is distinct from (moved.rest, moved.opens, moved.clear, moved.pace)),
held as materialized (
  select held.gate, job.tid
  from me, unnest($7::bigint[], $8::text[], $10::int[]) as held (id, gate, epoch)
  cross join lateral (
    select ctid as tid from @job where id = held.id and lease = $1 and epoch = held.epoch limit 1 for update) as job),
parked as (
  update @job as job
  set lease = null, attempt = job.attempt - 1, lane = case when held.gate is null then 0 else 2 end,
      limit_key = coalesce(held.gate, job.limit_key)
  from held
  where job.ctid = held.tid)
select count(*) from passed
