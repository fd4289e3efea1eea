-- Marks the worker $1 gone; $2 the time. The lock waits for a claim of its own that is still in flight, which would else
-- commit afterwards for a worker that is known no longer.
with me as materialized (select id from @worker where id = $1::bigint and gone is null for update),
sleeper as (delete from @sleeper where worker = $1)
update @worker as worker set gone = coalesce($2::timestamptz, clock_timestamp()) from me where worker.id = me.id
