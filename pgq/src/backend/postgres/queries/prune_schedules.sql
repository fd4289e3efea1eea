-- Deletes the declared schedules that nobody declares who is alive or has been gone for less than the grace of $1 µs; $2 the
-- time.
delete from @schedule
where not created
  and name not in (
    select unnest(names)
    from @edition
    where number in (
      select edition from @worker
      where gone is null
        or gone > coalesce($2::timestamptz, statement_timestamp()) - $1::bigint * interval '1 microsecond'))
returning name
