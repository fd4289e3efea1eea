-- What bounds `gate`, which is one of the limit `known`: its own bounds where it has some, or those set for the limit, or declared.
select case when gate.overridden then gate.own_concurrency when known.overridden then known.own_concurrency
            else known.concurrency end as concurrency,
       case when gate.overridden then gate.own_interval_ns when known.overridden then known.own_interval_ns
            else known.interval_ns end as interval_ns,
       case when gate.overridden then gate.own_burst when known.overridden then known.own_burst
            else known.burst end as burst
