-- Jobs by their ids $1, queued or finished; $2 the time. States as in the view, numbered in their order.
select id, task, queue,
       case when lease is not null then 2
            when lane = 1 and run_at > coalesce($2::timestamptz, statement_timestamp())
              then case when retrying then 3 else 0 end
            else 1 end::smallint as state,
       rank, attempt, max_attempts, epoch, crashes, created, run_at, null::timestamptz as finished, headers, codec, payload,
       extra, progress, progress_total, progress_at
from @job
where id = any ($1::bigint[]) and lane <> 3
union all
select id, task, queue, state, rank, attempt, max_attempts, epoch, crashes, created, run_at, finished, headers, codec,
       payload, extra, progress, progress_total, progress_at
from @history
where id = any ($1)
