-- Gates at rest that nobody runs behind, now locked, $1 at most; $2 the time, $3 how old they have to be, in µs. A rate that has
-- forgotten all its starts allows what one allows that nobody has used. A look-up for each: as a join it would walk all passes.
select gate.name
from @gate as gate
cross join lateral (
  select count(*) as jobs from (select from @pass as pass where pass.gate = gate.name limit 1) as one) as behind
where opens is null and not overridden and behind.jobs = 0
  and since <= coalesce($2::timestamptz, statement_timestamp()) - $3::bigint * interval '1 microsecond'
  and rest <= coalesce($2, statement_timestamp())
order by since
limit $1::bigint
for update of gate skip locked
