update @worker
set beat = coalesce($2::timestamptz, clock_timestamp())
where id = $1::bigint and gone is null
