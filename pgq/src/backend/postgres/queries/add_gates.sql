-- Puts in gates that there may be none of yet: $1 names, $2 their limits; $3 the time.
insert into @gate (name, "limit", since)
select gate.*, coalesce($3::timestamptz, statement_timestamp())
from unnest($1::text[], $2::text[]) as gate (name, "limit")
order by name
on conflict (name) do nothing
