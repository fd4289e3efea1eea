-- Pauses $1 $2 because of $3 for $4 µs, or until it is resumed; $5 the time.
insert into @pause as pause (kind, name, reason, since, until)
select $1::text, $2::text, $3::text, now, now + $4::bigint * interval '1 microsecond'
from coalesce($5::timestamptz, statement_timestamp()) as now
on conflict (kind, name) do update
set reason = excluded.reason,
    until = excluded.until,
    since = case when pause.until <= excluded.since then excluded.since else pause.since end
