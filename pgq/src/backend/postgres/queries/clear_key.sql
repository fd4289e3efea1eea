-- Takes away the tombstone $1 whose time is over; $2 the time.
delete from @job where id = $1::bigint and lane = 3 and run_at <= coalesce($2::timestamptz, statement_timestamp())
