-- Up to $1 jobs that nobody has begun in time, but for $2; $3 the time.
select id
from @job
where expires_at <= coalesce($3::timestamptz, statement_timestamp()) and attempt = 0 and lease is null and lane <> 3
  and id <> all ($2::bigint[])
order by expires_at
limit $1::bigint
