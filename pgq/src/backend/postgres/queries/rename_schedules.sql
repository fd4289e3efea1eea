-- Lets schedules follow the names of their tasks: $1 names that a set of schedules declares, $2 its number. A schedule under
-- an earlier name of such a task takes the new one and stays where it stands, unless a live worker with a higher number
-- declares it; one too many goes. And back again after a rollback: where $1 has an earlier name, and no live worker declares
-- the later one.
with declared as materialized (
  select unnest(names) as name, max(number) as number
  from @edition
  where number in (select edition from @worker where gone is null)
  group by 1),
alias as materialized (
  select task.name as task, earlier.name
  from @task as task
  cross join lateral jsonb_array_elements_text(task.options -> 'aliases') as earlier (name)),
renamed as materialized (
  select schedule.name as old, moved.name as new, moved.is_later,
         row_number() over (partition by moved.name order by moved.is_later desc, schedule.last desc, schedule.name) as nth,
         exists (select from @schedule as taken where taken.name = moved.name) as is_taken
  from (
    select name as old, task as name, true as is_later from alias where task = any ($1::text[])
    union all
    select task, name, false from alias where name = any ($1)) as moved
  join @schedule as schedule on schedule.name = moved.old
  left join declared on declared.name = schedule.name
  where not schedule.created and schedule.name <> all ($1)
    and (declared.number is null or moved.is_later and declared.number < $2::bigint)),
superfluous as (
  delete from @schedule
  where name in (select old from renamed where is_later and (is_taken or nth > 1)))
update @schedule as schedule
set name = renamed.new, generation = generation + 1
from renamed
where schedule.name = renamed.old and renamed.nth = 1 and not renamed.is_taken
