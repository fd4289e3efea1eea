-- The last failures, a hundred at most, of each of the jobs $1.
select last.*
from unnest($1::bigint[]) as wanted (id)
cross join lateral (
  select job, attempt, epoch, kind, message, chain, worker, started, ended
  from @failure
  where job = wanted.id
  order by epoch desc, ended desc
  limit 100) as last
order by job, epoch, ended
