-- Bounds in place of those of the limit $1 for its gate $2: $3 at once, $4 ns between two starts, $5 in one moment; $6 the
-- time.
insert into @gate as gate (name, "limit", since, overridden, own_concurrency, own_interval_ns, own_burst)
select $2::text, name, coalesce($6::timestamptz, statement_timestamp()), true, $3::int, $4::bigint, $5::int
from @limit
where name = $1::text and keyed
on conflict (name) do update
set overridden = true, own_concurrency = excluded.own_concurrency, own_interval_ns = excluded.own_interval_ns,
    own_burst = excluded.own_burst
