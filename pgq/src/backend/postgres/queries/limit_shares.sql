-- What live workers have of limits without a key.
select share."limit", share.measure, worker.host || ':' || worker.pid, share.units, greatest(share.wish - share.units, 0)
from @share as share
join @worker as worker on worker.id = share.worker and worker.gone is null
where share.units > 0 or share.wish > share.units
order by share."limit", share.measure, worker.started, worker.id
