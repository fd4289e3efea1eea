-- Gives the queued job $1 what another one carries: $2 rank, $3 instant, $4 delay in µs, $5 headers, $6 payload, $7 the
-- time, $8 within how many µs it has to begin, $9 what few jobs have, $10 most attempts, $11 queue, $12 codec. Never waits for
-- a lock: an upsert on a running job would hold up its finish until the caller's transaction ends.
with held as (
  select ctid as tid from @job where id = $1::bigint and lease is null and lane <> 3 for update skip locked),
given as (
  select coalesce($3::timestamptz, now + $4::bigint * interval '1 microsecond') as run_at, now
  from coalesce($7::timestamptz, statement_timestamp()) as now)
update @job as job
set rank = $2::smallint, run_at = given.run_at, lane = case when given.run_at > given.now then 1 else 0 end,
    retrying = false, headers = $5::jsonb, payload = $6::bytea, codec = $12::smallint, queue = $11::text,
    max_attempts = greatest($10::smallint, job.attempt + 1), extra = $9::jsonb, limit_key = $9 #>> '{limit_keys,0}',
    expires_at = greatest(given.run_at, given.now) + $8::bigint * interval '1 microsecond'
from held, given
where job.ctid = held.tid
