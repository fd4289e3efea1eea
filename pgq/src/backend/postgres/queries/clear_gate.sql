-- The gate $1 has the bounds of its limit.
update @gate
set overridden = false, own_concurrency = null, own_interval_ns = null, own_burst = null
where name = $1::text and overridden
