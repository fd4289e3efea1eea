-- Lets schedules follow the names of their tasks: $1 names that a set of schedules declares, $2 its number. A schedule under
-- an earlier name of such a task takes the new one and stays where it stands, unless a live worker with a higher number
-- declares it; one too many goes. And back again after a rollback: where $1 has an earlier name, and no live worker declares
-- the later one.
with live as materialized (
  select edition.number, edition.names
  from @worker as worker join @edition as edition on edition.number = worker.edition
  where worker.gone is null),
renamed as materialized (
  select schedule.name as old, given.name as new, task.name = given.name as is_later,
         row_number() over (partition by given.name order by schedule.last desc, schedule.name) as nth,
         exists (select from @schedule as taken where taken.name = given.name) as is_taken
  from unnest($1::text[]) as given (name), @schedule as schedule, @task as task
  where (task.name = given.name and task.options -> 'aliases' ? schedule.name
      or task.name = schedule.name and task.options -> 'aliases' ? given.name)
    and not schedule.created and schedule.name <> all ($1)
    and not exists (
      select from live
      where schedule.name = any (names) and (number > $2::bigint or task.name = schedule.name))),
superfluous as (
  delete from @schedule
  where name in (select old from renamed where is_later and (is_taken or nth > 1)))
update @schedule as schedule
set name = renamed.new, generation = generation + 1
from renamed
where schedule.name = renamed.old and renamed.nth = 1 and not renamed.is_taken
