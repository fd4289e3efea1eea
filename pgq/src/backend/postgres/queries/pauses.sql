-- What is paused at the time $1.
select kind, name, reason, since, until from @pause
where until is null or until > coalesce($1::timestamptz, statement_timestamp())
order by kind, name
