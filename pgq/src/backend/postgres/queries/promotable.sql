-- Up to $1 jobs that are due, but for $2; $3 the time.
select id
from @job
where lane = 1 and run_at <= coalesce($3::timestamptz, statement_timestamp()) and id <> all ($2::bigint[])
order by run_at, id
limit $1::bigint
