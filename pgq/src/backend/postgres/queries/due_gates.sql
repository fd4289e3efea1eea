-- Gates that open, now locked, $1 at most; $2 the time.
select name from @gate
where opens <= coalesce($2::timestamptz, statement_timestamp())
order by opens
limit $1::bigint
for update skip locked
