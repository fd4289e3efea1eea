-- What live workers have of limits without a key, and when their next tokens come; $1 the time.
select share."limit", share.measure, worker.host || ':' || worker.pid, share.units, greatest(share.wish - share.units, 0),
       case when share.next > coalesce($1::timestamptz, statement_timestamp()) then share.next end
from @share as share
join @worker as worker on worker.id = share.worker and worker.gone is null
where share.units > 0 or share.wish > share.units
order by share."limit", share.measure, worker.started, worker.id
