-- The first gates of each limit of which something is set.
select gate.name, gate.own_concurrency, gate.own_interval_ns, gate.own_burst
from @limit as known
cross join lateral (
  select * from @gate as gate where gate."limit" = known.name and gate.overridden order by gate.name limit 1000) as gate
where known.keyed
order by gate.name
