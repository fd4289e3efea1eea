-- $1 worker, $2 for how long it sleeps in µs, or null where it is awake, $3 the time.
update @sleeper
set asleep = $2::bigint is not null,
    until = coalesce($3::timestamptz, statement_timestamp()) + coalesce($2, 0) * interval '1 microsecond'
where worker = $1::bigint
