-- Frees what the lease $1 still holds, attempts refunded: a worker's own last act.
update @job
set lease = null, attempt = attempt - 1
where ctid = any (array(select ctid from @job where lease = $1::bigint for update skip locked))
returning queue, task
