-- As enqueue.sql, for jobs with unique keys ($16), sorted by task and key: two batches that insert the same keys in
-- different orders would deadlock. What isn't returned has a key that is taken.
with entry as (
  select coalesce(given.queue, same.queue) as queue, coalesce(given.task, same.task) as task,
         coalesce(given.rank, same.rank) as rank, coalesce(given.max_attempts, same.max_attempts) as max_attempts,
         coalesce(given.codec, same.codec) as codec, headers, payload, expires_in, extra, unique_key,
         coalesce(at, now + delay * interval '1 microsecond', now) as run_at, now
  from unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[], $5::bigint[], $6::smallint[], $7::smallint[],
              $8::jsonb[], $9::bytea[], $14::bigint[], $15::jsonb[], $16::text[])
         with ordinality as given (queue, task, rank, at, delay, max_attempts, codec, headers, payload, expires_in, extra,
                                   unique_key, place),
       (select $1[1], $2[1], $3[1], $6[1], $7[1] offset 0) as same (queue, task, rank, max_attempts, codec),
       coalesce($10::timestamptz, statement_timestamp()) as now
  order by place),
new as (
  insert into @job (queue, task, rank, run_at, created, lane, max_attempts, codec, headers, payload, expires_at, extra,
                    unique_key, limit_key)
  select queue, task, rank, run_at, now, case when run_at > now then 1 else 0 end, max_attempts, codec, headers, payload,
         greatest(run_at, now) + expires_in * interval '1 microsecond', extra, unique_key,
         extra #>> '{limit_keys,0}'
  from entry
  on conflict (task, unique_key) where unique_key is not null do nothing
  returning id, task, unique_key),
woken as materialized (
  select pg_notify('pgq_' || lpad(to_hex(worker), 16, '0'), $13::text)
  from (
    select worker from @sleeper
    where wants && $11::int[]
      and (asleep and until > coalesce($10, statement_timestamp())
           or current_setting('transaction_isolation') not in ('read committed', 'read uncommitted'))
    order by random()
    limit case when current_setting('transaction_isolation') in ('read committed', 'read uncommitted')
               then $12::bigint end) as sleeping)
select id, task, unique_key, (select count(*) from woken) as notices from new
