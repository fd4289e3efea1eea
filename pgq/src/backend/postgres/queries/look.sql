-- Which of the claims (ids $2, epochs $3) the lease $1 still holds. A look-up for each, as in finish.
select job.id, job.epoch
from unnest($2::bigint[], $3::int[]) as ended (id, epoch)
cross join lateral (
  select id, epoch from @job where id = ended.id and lease = $1::bigint and epoch = ended.epoch limit 1) as job
