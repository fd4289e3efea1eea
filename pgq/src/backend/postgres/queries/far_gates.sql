-- Gates that are to be looked at later than what they let through explains, as in `pgq-core/src/limit/gatehouse.rs`, and, but where $2,
-- a minute later or more: somebody has set the clock back, or changed their bounds while another one was noting that, as of all that were
-- counted by another rate. With $2 those that fewer run behind than may, however soon: whoever was to look there may be gone. They are
-- due. $1 the time.
with far as materialized (
  select gate.ctid as tid
  from @gate as gate
  left join @limit as known on known.name = gate."limit"
  cross join lateral (@{bounds}) as bound
  -- In spans that no instant is out of range by.
  cross join lateral (
    select least(bound.interval_ns::float8 * bound.burst / 1000, 1e15) * interval '1 microsecond' as full_after,
           least(bound.interval_ns::float8 * (bound.burst - 1) / 1000, 1e15) * interval '1 microsecond' as ahead) as span
  where gate.opens > coalesce($1::timestamptz, statement_timestamp())
                     + case when $2::boolean then interval '0' else interval '1 minute' end
    and (bound.interval_ns is null or gate.pace < known.pace and not gate.overridden
         -- A millisecond more, for what is rounded.
         or gate.opens > least(gate.rest, coalesce($1, statement_timestamp()) + full_after) - ahead + interval '1 millisecond')
    and (not $2 or bound.concurrency is null
         or (select count(*) from (select from @pass as pass where pass.gate = gate.name limit bound.concurrency) as behind)
            < bound.concurrency)
  for update of gate skip locked)
update @gate
set opens = coalesce($1, statement_timestamp())
where ctid = any (array(select tid from far))
