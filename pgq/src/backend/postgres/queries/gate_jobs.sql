-- Jobs that have passed the gate $1 and run, $2 at most.
select distinct job from @pass where gate = $1::text order by job limit $2::bigint
