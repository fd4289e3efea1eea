-- Who has passed gates that were read under their locks, in the lease $1: $2 jobs, $3 gates, $9 epochs. What has changed of gates: $4 names,
-- $5 when they are at rest, $6 when they open. Who is held up: $7 jobs, $8 the gate at which each waits; the attempt is
-- refunded, and the job keeps its place.
with passed as (
  insert into @pass (job, gate, epoch, lease)
  select job, gate, epoch, $1::bigint from unnest($2::bigint[], $3::text[], $9::int[]) as passed (job, gate, epoch)
  on conflict (gate, job) do update set epoch = excluded.epoch, lease = excluded.lease),
moved as (
  update @gate as gate
  set rest = moved.rest, opens = moved.opens
  from unnest($4::text[], $5::timestamptz[], $6::timestamptz[]) as moved (name, rest, opens)
  where gate.name = moved.name and (gate.rest, gate.opens) is distinct from (moved.rest, moved.opens)),
held as materialized (
  select held.gate, job.tid
  from unnest($7::bigint[], $8::text[]) as held (id, gate)
  cross join lateral (select ctid as tid from @job where id = held.id and lease = $1 limit 1 for update) as job)
update @job as job
set lease = null, attempt = job.attempt - 1, lane = 2, limit_key = held.gate
from held
where job.ctid = held.tid
