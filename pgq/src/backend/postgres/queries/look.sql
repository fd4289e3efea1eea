-- Which of the claims (ids $2, epochs $3) the lease $1 still holds.
select job.id, job.epoch
from unnest($2::bigint[], $3::int[]) as ended (id, epoch) join @job as job on job.id = ended.id
where job.lease = $1::bigint and job.epoch = ended.epoch
