-- What workers have declared, the task of a name or earlier name $1 only, or all where that is null.
select name, queue, options, schema
from @task
where $1::text is null or name = $1 or options -> 'aliases' ? $1
order by name
