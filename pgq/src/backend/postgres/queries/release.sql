-- Hands back what the lease $1 still holds but for the jobs $2, attempts refunded: a worker's own last act, or its mending
-- of a claim whose answer was lost.
update @job
set lease = null, attempt = attempt - 1
where ctid = any (array(
  select ctid from @job where lease = $1::bigint and id <> all ($2::bigint[]) for update skip locked))
returning queue, task
