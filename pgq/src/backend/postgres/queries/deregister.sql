-- Marks the worker $1 gone, in the transaction that hands back what it holds; $2 the time.
with sleeper as (delete from @sleeper where worker = $1::bigint),
remembered as (delete from @remembered where worker = $1)
update @worker set gone = coalesce($2::timestamptz, clock_timestamp()), freed = coalesce($2, clock_timestamp())
where id = $1 and gone is null
