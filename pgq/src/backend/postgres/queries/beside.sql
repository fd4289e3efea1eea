-- Jobs of the queue $1 and task $2 that run, $3 at most, among the first: what runs was the first to be claimed.
select id
from (
  select id, lease from @job
  where queue = $1::text and task = $2::text and lane = 0
  order by rank, run_at, id
  limit 1000) as first
where lease is not null
order by id
limit $3::bigint
