-- Whether anything of these queues and tasks ($1, $2) is available, running, due or to be retried; $3 the time.
select exists (
  select
  from unnest($1::text[], $2::text[]) as want (queue, task)
  cross join lateral (
    select from @job where queue = want.queue and task = want.task and lane = 0 limit 1) as ready
) or exists (
  select from @job
  where lane = 2 and (queue, task) in (select * from unnest($1, $2))
) or exists (
  select
  from @job
  where lane = 1 and (retrying or run_at <= coalesce($3::timestamptz, statement_timestamp()))
    and (queue, task) in (select * from unnest($1::text[], $2::text[]))
)
