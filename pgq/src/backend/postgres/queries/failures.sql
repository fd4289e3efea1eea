-- The failures of the jobs $1.
select job, attempt, epoch, kind, message, chain, worker, started, ended
from @failure
where job = any ($1::bigint[])
order by job, epoch, ended
