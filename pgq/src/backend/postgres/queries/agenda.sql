-- All schedules and where they stand. $1 the time, $2 whether with their arguments: who fires needs no more than their size.
-- The job is looked up one by one: `exists` may become a scan of all jobs on connections whose plans aren't pinned.
select name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap,
       case when $2::boolean then payload else '' end as payload, generation, last, waiting, fired,
       coalesce((select job.lane <> 3 from @job as job where job.id = schedule.job), false) as busy,
       coalesce($1::timestamptz, statement_timestamp()) as now, created, paused, edition, limit_keys,
       octet_length(payload) as size, schedule.job,
       case when declared.edition is null and not created
            then array(select jsonb_array_elements_text(task.options -> 'aliases') from @task as task where task.name = schedule.name)
            else '{}' end as earlier,
       -- The same as in renew.sql.
       (select coalesce(hashtextextended(
                 string_agg(concat_ws('/', name, generation, cadence, zone, created, paused), ',' order by name)
                 || (select coalesce(string_agg(distinct edition::text, ','), '') from @worker where gone is null), 0), 0)
        from @schedule) as mark
from @schedule as schedule
left join (
  select unnest(names) as name, max(number) as edition
  from @edition
  where number in (select edition from @worker where gone is null)
  group by 1) as declared using (name)
order by name
