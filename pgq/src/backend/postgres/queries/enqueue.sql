-- One job or many: all or none. $1 queues, $2 tasks, $3 ranks, $4 instants, $5 delays in µs (where there is no instant, if any),
-- $6 most attempts, $7 codecs, $8 headers, $9 payloads, $10 the time, or null for the database's, $11 hashes of what
-- sleepers may want, $12 how many of them to wake, $13 what for; $14 within how many µs of their time they have to begin, $15 what
-- few jobs have. What all have in common is said once, and what none has is null: to read a thousand values of each column cost a
-- fifth of an enqueue of a thousand jobs. Answers also whether somebody sleeps who wants one.
with entry as (
  select coalesce(given.queue, same.queue) as queue, coalesce(given.task, same.task) as task,
         coalesce(given.rank, same.rank) as rank, coalesce(given.max_attempts, same.max_attempts) as max_attempts,
         coalesce(given.codec, same.codec) as codec, headers, payload, expires_in, extra,
         coalesce(at, now + delay * interval '1 microsecond', now) as run_at, now
  from unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[], $5::bigint[], $6::smallint[], $7::smallint[],
              $8::jsonb[], $9::bytea[], $14::bigint[], $15::jsonb[])
         as given (queue, task, rank, at, delay, max_attempts, codec, headers, payload, expires_in, extra),
       (select $1[1], $2[1], $3[1], $6[1], $7[1] offset 0) as same (queue, task, rank, max_attempts, codec),
       coalesce($10::timestamptz, statement_timestamp()) as now),
-- Rows are inserted, numbered and returned in the order of the arrays.
new as (
  insert into @job (queue, task, rank, run_at, created, lane, max_attempts, codec, headers, payload, expires_at, extra,
                    limit_key)
  select queue, task, rank, run_at, now, case when run_at > now then 1 else 0 end, max_attempts, codec, headers, payload,
         greatest(run_at, now) + expires_in * interval '1 microsecond', extra, extra #>> '{limit_keys,0}'
  from entry
  returning id),
-- In a transaction of the caller's own the notice leaves with its commit. What it reads here may be stale where
-- snapshots outlive a statement, so there everybody is woken.
woken as materialized (
  select pg_notify('pgq_' || lpad(to_hex(worker), 16, '0'), $13::text)
  from (
    select worker from @sleeper
    where $12::bigint > 0 and wants && $11::int[]
      and (asleep and until > coalesce($10, statement_timestamp())
           or current_setting('transaction_isolation') not in ('read committed', 'read uncommitted'))
    order by random()
    limit case when current_setting('transaction_isolation') in ('read committed', 'read uncommitted')
               then $12 end) as sleeping)
select array(select id from new) as ids, exists (
         select from @sleeper
         where asleep and wants && $11 and until > coalesce($10, statement_timestamp())) as asleep,
       (select count(*) from woken) as notices
