-- Those of the gates $1 that somebody waits at, as they stand but for who runs; $2 the time. After the commit of what has changed there.
-- A look-up for each: as a join it would walk all who wait.
select waits.gate, bound.concurrency, bound.interval_ns, bound.burst, 0::bigint as running, gate.rest, gate.opens,
       coalesce($2::timestamptz, statement_timestamp()) as now,
       @{paces}
from unnest($1::text[]) as quit (gate)
cross join lateral (select limit_key as gate from @job where limit_key = quit.gate and lane = 2 limit 1) as waits
cross join lateral (select * from @gate where name = waits.gate limit 1) as gate
left join lateral (select * from @limit where name = gate."limit" limit 1) as known on true
cross join lateral (@{bounds}) as bound
