-- By which rate `gate` is counted, the number of the one that its limit `known` has, and which ones that had since, each until when.
gate.clear, gate.pace, coalesce(known.pace, gate.pace) as number,
case when gate.clear > '-infinity' and gate.pace < known.pace and not gate.overridden then known.past_ns end as past_ns,
case when gate.clear > '-infinity' and gate.pace < known.pace and not gate.overridden then known.past_until end as past_until
