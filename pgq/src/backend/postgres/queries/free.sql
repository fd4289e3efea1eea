-- Frees up to $1 jobs of workers that are gone; $2 the time.
update @job
set lease = null, crashes = crashes + 1, run_at = coalesce($2::timestamptz, clock_timestamp())
where ctid = any (array(
  select ctid from @job
  where lease = any (array(select id from @worker where gone is not null and freed is null))
    -- The scan isn't begun where nobody is gone, which is nearly always.
    and exists (select from @worker where gone is not null and freed is null)
  limit $1::bigint
  for update skip locked))
returning queue, task
