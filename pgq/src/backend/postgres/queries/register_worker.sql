-- $1 id, $2 instance, $3 host, $4 process, $5 span in µs, $6 what it wants, null where nothing wakes it, $7 the time.
with worker as (
  insert into @worker (id, instance, host, pid, span, started, beat, visible)
  select $1::bigint, $2::uuid, $3::text, $4::int, $5::bigint * interval '1 microsecond', now, now,
         -- Whether this connection holds the lock by which others see that it is there; see watch.sql.
         exists (
           select from pg_locks
           where locktype = 'advisory' and objsubid = 1 and granted and pid = pg_backend_pid()
             and (classid::bigint << 32) | objid::bigint = $1)
  from coalesce($7::timestamptz, clock_timestamp()) as now
  returning id),
remembered as (insert into @remembered (worker) select id from worker)
insert into @sleeper (worker, wants) select id, $6::int[] from worker where $6 is not null
