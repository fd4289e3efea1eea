-- All limits: what is declared and set of each, and of those with a key for how many values attempts run and jobs wait. A limit's
-- gates are called `limit=value`, and stand beside each other in every index.
with blocking as materialized (
  select "limit", count(*) as gates
  from (select "limit" from @gate where opens is not null limit 10000) as counted
  group by "limit")
select name, task, edition is not null as declared, concurrency, interval_ns, burst,
       overridden, own_concurrency, own_interval_ns, own_burst,
       (select count(distinct gate)
        from (select gate from @pass where known.keyed and gate >= name || '=' and gate < name || '>' limit 10000) as counted),
       coalesce((select gates from blocking where "limit" = name), 0),
       sharers
from @limit as known
order by name
