-- One job, of which nobody is told: `enqueue.sql` without what only many need, which is half of what that costs. $1 queue, $2 task,
-- $3 rank, $4 instant, $5 delay in µs (where there is no instant), $6 most attempts, $7 codec, $8 headers, $9 payload, $10 the time,
-- or null for the database's, $11 hashes of what sleepers may want, $12 within how many µs of its time it has to begin, $13 what few
-- jobs have. Answers also whether somebody sleeps who wants it.
with new as (
  insert into @job (queue, task, rank, run_at, created, lane, max_attempts, codec, headers, payload, expires_at, extra,
                    limit_key)
  select $1::text, $2::text, $3::smallint, run_at, now, case when run_at > now then 1 else 0 end, $6::smallint, $7::smallint,
         $8::jsonb, $9::bytea, greatest(run_at, now) + $12::bigint * interval '1 microsecond', $13::jsonb,
         $13::jsonb #>> '{limit_keys,0}'
  from (select coalesce($10::timestamptz, statement_timestamp()) as now) as given
  cross join lateral (
    select coalesce($4::timestamptz, now + $5::bigint * interval '1 microsecond', now) as run_at) as due
  returning id)
select id, exists (
         select from @sleeper
         where asleep and wants && $11::int[] and until > coalesce($10::timestamptz, statement_timestamp())) as asleep
from new
