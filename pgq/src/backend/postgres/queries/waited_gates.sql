-- Those of the gates $1 that somebody waits at, as they stand but for who runs; $2 the time. After the commit of what has changed there.
-- A look-up for each: as a join it would walk all who wait.
select waits.gate, bound.concurrency, bound.interval_ns, bound.burst, 0::bigint as running, gate.rest, gate.opens,
       coalesce($2::timestamptz, statement_timestamp()) as now,
       gate.clear, gate.pace,
       coalesce(known.pace, gate.pace) as number,
       case when gate.clear > '-infinity' and gate.pace < known.pace and not gate.overridden then known.past_ns end as past_ns,
       case when gate.clear > '-infinity' and gate.pace < known.pace and not gate.overridden then known.past_until end
         as past_until
from unnest($1::text[]) as quit (gate)
cross join lateral (select limit_key as gate from @job where limit_key = quit.gate and lane = 2 limit 1) as waits
cross join lateral (select * from @gate where name = waits.gate limit 1) as gate
left join lateral (select * from @limit where name = gate."limit" limit 1) as known on true
cross join lateral (
  select case when gate.overridden then gate.own_concurrency when known.overridden then known.own_concurrency
              else known.concurrency end as concurrency,
         case when gate.overridden then gate.own_interval_ns when known.overridden then known.own_interval_ns
              else known.interval_ns end as interval_ns,
         case when gate.overridden then gate.own_burst when known.overridden then known.own_burst
              else known.burst end as burst) as bound
