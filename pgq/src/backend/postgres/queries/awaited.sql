-- Workers of which it isn't known yet what they run of the limit $1, as far as that is waited for: as `Awaited` says it. $2 the time.
select distinct worker.host || ':' || worker.pid
from @share as share
join @worker as worker on worker.id = share.worker and worker.gone is null
where share."limit" = $1::text and share.awaited
  and least(worker.beat, coalesce($2::timestamptz, statement_timestamp())) < share.since + worker.span
order by 1
