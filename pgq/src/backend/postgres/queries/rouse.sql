-- Wakes all who sleep, after the commit of what concerns any of them; $1 the time.
select pg_notify('pgq_' || lpad(to_hex(worker), 16, '0'), 'w') from @sleeper
where asleep and until > coalesce($1::timestamptz, statement_timestamp())
