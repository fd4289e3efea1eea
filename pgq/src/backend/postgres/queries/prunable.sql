-- Up to $1 rows of each kind that were kept for long enough, but for $2; $3 the time.
(select id
 from @history_default
 where expires <= coalesce($3::timestamptz, statement_timestamp()) and id <> all ($2::bigint[])
 order by expires
 limit $1::bigint)
union
(select id
 from @job
 where lane = 3 and run_at <= coalesce($3, statement_timestamp()) and id <> all ($2)
 order by run_at
 limit $1)
