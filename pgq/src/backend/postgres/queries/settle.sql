-- Waits for claims of the worker $1 that are still in flight: they hold its row for key share.
select from @worker where id = $1::bigint for update
