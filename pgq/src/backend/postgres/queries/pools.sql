-- The limits without a key, $1 or all of them where it is null, with what workers have of them, and what those that are gone had; $2
-- the time. If $3, also those with a key, which nobody has shares of: how many attempts at once they allow says only whether they
-- bound that, for all values or for one, and whether a live worker has the set that declares it, or programs that did go on without
-- it. Of each worker when it last gave a sign of life, as the last of all did, and for how many µs its lease lasts. Also the number of
-- the time since which the limit bounds what runs, by which rate its free units have filled since they were counted, and the version of
-- its row, which is another one after each change of its shares.
select known.name,
       coalesce(case when overridden then own_concurrency else concurrency end,
                (select gate.own_concurrency from @gate as gate
                 where known.keyed and gate."limit" = known.name and gate.own_concurrency is not null
                 order by gate.own_concurrency
                 limit 1)) as concurrency,
       case when overridden then own_interval_ns else interval_ns end as interval_ns,
       case when overridden then own_burst else burst end as burst, known.edition, known.tokens,
       coalesce(known.filled, $2, statement_timestamp()) as filled,
       held.measure, held.worker, held.units, held.wish, held.since, held.tokens as fetched,
       coalesce($2::timestamptz, statement_timestamp()) as now, known.keyed, held.alive, held.span,
       $3 and known.edition is not null
       and not exists (select from @worker where edition = known.edition and gone is null)
       and not exists (
         select from @worker as worker join @edition as live on live.number = worker.edition
         where worker.gone is null and known.name = any (live.limits))
       and exists (
         select from @worker as worker
         join @edition as live on live.number = worker.edition
         join @edition as past on past.tasks && live.tasks
         where worker.gone is null and known.name = any (past.limits)) as outlived,
       known.sharers, held.beat, known.begun, held.next,
       $3 and exists (select from @worker where edition = known.edition and gone is null) as upheld,
       known.pace_ns, known.pace_burst, held.ahead, held.awaited, known.xmin::text::bigint as version,
       least((select max(beat) from @worker where gone is null), coalesce($2, statement_timestamp())) as latest
from @limit as known
left join (
  select share.*, worker.id is not null as alive, worker.beat,
         (extract(epoch from worker.span) * 1000000)::bigint as span
  from @share as share
  left join @worker as worker on worker.id = share.worker and worker.gone is null) as held
  on held."limit" = known.name
where (not known.keyed or $3::boolean) and ($1::text[] is null or known.name = any ($1))
order by known.name
