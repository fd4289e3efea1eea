-- Who holds the unique key $2 of the task $1; $3 the time.
select id, lease is not null as running, lane = 3 as ended,
       lane = 3 and run_at <= coalesce($3::timestamptz, statement_timestamp()) as over
from @job
where task = $1::text and unique_key = $2::text
