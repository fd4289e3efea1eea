-- What is set of the limits of a task holds under its next name, too: of the tasks $1, where a limit has no row yet. After the locks
-- of all limits. Answers what is new.
insert into @limit (name, task, keyed, overridden, own_concurrency, own_interval_ns, own_burst, tokens, filled)
select distinct on (1)
       'task:' || task.name || substr(old.name, length('task:' || old.task) + 1), task.name, old.keyed, true,
       old.own_concurrency, old.own_interval_ns, old.own_burst, old.tokens, old.filled
from @task as task
cross join lateral jsonb_array_elements_text(task.options -> 'aliases') as earlier (name)
join @limit as old on old.task = earlier.name and old.overridden
where task.name = any ($1::text[])
order by 1, old.name
on conflict do nothing
returning name
