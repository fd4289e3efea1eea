-- Jobs that have passed the gate $1 and run, $2 at most, and where: nowhere where their worker is gone.
select job, worker.host || ':' || worker.pid
from (
  select distinct on (job) job, lease from @pass where gate = $1::text order by job, epoch desc limit $2::bigint) as passed
left join @worker as worker on worker.id = passed.lease and worker.gone is null
order by job
