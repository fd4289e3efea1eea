-- Notes the job of a schedule's last tick, in the transaction that fires it. $1 name, $2 the job.
update @schedule
set job = $2::bigint
where name = $1::text
