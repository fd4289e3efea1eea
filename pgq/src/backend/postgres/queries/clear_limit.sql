-- The limit $1 is as it is declared.
update @limit
set overridden = false, own_concurrency = null, own_interval_ns = null, own_burst = null
where name = $1::text and overridden
