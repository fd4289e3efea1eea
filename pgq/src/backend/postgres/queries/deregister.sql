-- Marks the worker $1 gone, so that a claim in flight can't commit for it; $2 the time.
with sleeper as (delete from @sleeper where worker = $1::bigint)
update @worker set gone = coalesce($2::timestamptz, clock_timestamp()) where id = $1::bigint and gone is null
