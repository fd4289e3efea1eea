-- As enqueue.sql, for jobs with unique keys ($16), sorted by task and key: two batches that insert the same keys in
-- different orders would deadlock. What isn't returned has a key that is taken.
with entry as (
  select given.*, coalesce(at, now + delay * interval '1 microsecond') as run_at, now
  from unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[], $5::bigint[], $6::smallint[], $7::smallint[],
              $8::jsonb[], $9::bytea[], $14::bigint[], $15::jsonb[], $16::text[])
         with ordinality as given (queue, task, rank, at, delay, max_attempts, codec, headers, payload, expires_in, extra,
                                   unique_key, place),
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
