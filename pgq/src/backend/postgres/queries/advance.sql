-- How far attempts have come. $1 lease, $2 ids, $3 epochs, $4 how much is done, $5 of how much, $6 the time.
with said as materialized (
  select * from unnest($2::bigint[], $3::int[], $4::bigint[], $5::bigint[]) as said (id, epoch, done, total)),
-- Never waits for a lock, and looks each up, as in finish.sql.
held as materialized (
  select job.tid, said.*
  from (select * from said order by id) as said
  cross join lateral (
    select ctid as tid from @job
    where id = said.id and lease = $1::bigint and epoch = said.epoch
    limit 1
    for update skip locked) as job)
update @job as job
set progress = held.done, progress_total = held.total,
    progress_at = coalesce($6::timestamptz, statement_timestamp())
from held
where job.ctid = held.tid
returning job.id, job.epoch
