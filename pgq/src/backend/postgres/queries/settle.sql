-- Waits for claims of the worker $1 that are still in flight, which hold its row for key share; those that come later with the
-- count of before win nothing. Answers the count from now on.
-- From then on the server counts as having forgotten nothing.
with settled as (select id from @worker where id = $1::bigint for update),
remembered as (insert into @remembered (worker) values ($1) on conflict do nothing)
update @worker as worker set doubts = worker.doubts + 1
from settled
where worker.id = settled.id
returning worker.doubts
