-- A job by its id $1, queued or finished; $2 the time. States as in the view, numbered in their order.
select task, queue,
       case when lease is not null then 2
            when lane = 1 and run_at > coalesce($2::timestamptz, statement_timestamp())
              then case when retrying then 3 else 0 end
            else 1 end::smallint as state,
       rank, attempt, max_attempts, epoch, crashes, created, run_at, null::timestamptz as finished, headers
from @job
where id = $1::bigint and lane <> 3
union all
select task, queue, state, rank, attempt, max_attempts, epoch, crashes, created, run_at, finished, headers
from @history
where id = $1
