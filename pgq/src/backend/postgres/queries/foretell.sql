-- When the worker $1 has its next tokens of the rates of the limits $2: with so many units, $3, in how many µs, $4, where the
-- rate has $5 nanoseconds between two starts and the burst $6; $7 the time. Not where it has other units by now, or the rate is
-- another: whoever changes either has the limit locked, and that is waited for.
with paced as materialized (
  select known.name, token.units, token.wait
  from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::int[]) as token (name, units, wait, interval_ns, burst)
  join @limit as known on known.name = token.name
  where known.pace_ns = token.interval_ns and known.pace_burst = token.burst
  order by known.name
  for key share of known)
-- Not as a join, which may walk the shares of all limits.
update @share as share
set next = coalesce($7::timestamptz, statement_timestamp())
           + (select paced.wait from paced where paced.name = share."limit") * interval '1 microsecond'
where share."limit" = any (array(select name from paced)) and share.measure = 1 and share.worker = $1
  and share.units = (select paced.units from paced where paced.name = share."limit")
