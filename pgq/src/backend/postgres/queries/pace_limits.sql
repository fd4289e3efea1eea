-- What the limits $1, which are locked, allow in how long is in force from now on; $2 the time. Of the rates before, the last $3 are kept.
-- Where none is in force, gates are counted as by the one before. When the next tokens come under another rate whoever has units
-- of it says anew.
with changed as (
  update @limit as known
  set pace = pace + case when pace_ns is null then 0 else 1 end, pace_ns = bound.interval_ns, pace_burst = bound.burst,
      past_ns = case when pace_ns is null then past_ns
                     else (past_ns || pace_ns)[greatest(cardinality(past_ns) + 2 - $3::int, 1):] end,
      past_until = case when pace_ns is null then past_until
                        else (past_until || coalesce($2::timestamptz, statement_timestamp()))
                             [greatest(cardinality(past_until) + 2 - $3, 1):] end
  from (
    select name, case when overridden then own_interval_ns else interval_ns end as interval_ns,
           case when overridden then own_burst else burst end as burst
    from @limit where name = any ($1::text[])) as bound
  where known.name = bound.name and bound.interval_ns is not null
    and (known.pace_ns, known.pace_burst) is distinct from (bound.interval_ns, bound.burst)
  returning known.name)
update @share set next = null where "limit" in (select name from changed) and next is not null
