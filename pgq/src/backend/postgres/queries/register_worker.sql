-- $1 id, $2 instance, $3 host, $4 process, $5 span in µs, $6 what it wants, null where nothing wakes it, $7 the time.
with worker as (
  insert into @worker (id, instance, host, pid, span, started, beat)
  select $1::bigint, $2::uuid, $3::text, $4::int, $5::bigint * interval '1 microsecond', now, now
  from coalesce($7::timestamptz, clock_timestamp()) as now
  returning id)
insert into @sleeper (worker, wants) select id, $6::int[] from worker where $6 is not null
