-- Deletes those of the gates $1, locked before, that nobody runs behind or waits at: what was committed while they were being
-- locked is seen here. A look-up for each: as a join it would walk all who wait.
delete from @gate
where name = any (array(
  select idle.name
  from unnest($1::text[]) as idle (name)
  cross join lateral (
    select count(*) as jobs
    from ((select from @pass as pass where pass.gate = idle.name limit 1)
          union all
          (select from @job as job where job.limit_key = idle.name and job.lane = 2 limit 1)) as here) as held
  where held.jobs = 0))
