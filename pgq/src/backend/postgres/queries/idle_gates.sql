-- Gates as they stand that nobody runs behind and that were at rest by the rate by which they were counted, now locked, $1 at most; $2
-- the time, $3 how old they have to be, in µs. A rate that has forgotten all its starts allows what one allows that nobody has used. A
-- look-up for each: as joins they would walk all passes, and all limits or all gates.
select gate.name, null::int as concurrency, bound.interval_ns, bound.burst, behind.jobs as running, gate.rest, gate.opens,
       coalesce($2::timestamptz, statement_timestamp()) as now,
       @{paces}
from @gate as gate
left join lateral (select * from @limit where name = gate."limit" limit 1) as known on true
cross join lateral (@{bounds}) as bound
cross join lateral (
  select count(*) as jobs from (select from @pass as pass where pass.gate = gate.name limit 1) as one) as behind
where gate.opens is null and not gate.overridden and behind.jobs = 0
  and gate.since <= coalesce($2, statement_timestamp()) - $3::bigint * interval '1 microsecond'
  and greatest(gate.rest, gate.clear) <= coalesce($2, statement_timestamp())
order by gate.since
limit $1::bigint
for update of gate skip locked
