-- Tells all live workers to look at their limits.
select pg_notify('pgq_' || lpad(to_hex(id), 16, '0'), 'l') from @worker where gone is null
