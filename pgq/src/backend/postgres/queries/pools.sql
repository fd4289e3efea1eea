-- The limits without a key, $1 or all of them where it is null, with what live workers have of them; $2 the time.
select known.name, case when overridden then own_concurrency else concurrency end as concurrency,
       case when overridden then own_interval_ns else interval_ns end as interval_ns,
       case when overridden then own_burst else burst end as burst, known.edition, known.tokens, known.filled,
       held.measure, held.worker, held.units, held.wish, held.since, held.tokens as fetched,
       coalesce($2::timestamptz, statement_timestamp()) as now
from @limit as known
left join (
  select share.* from @share as share join @worker as worker on worker.id = share.worker and worker.gone is null) as held
  on held."limit" = known.name
where not known.keyed and ($1::text[] is null or known.name = any ($1))
order by known.name
