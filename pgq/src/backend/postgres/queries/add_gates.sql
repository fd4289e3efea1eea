-- Puts in gates that there may be none of yet: $1 names, $2 their limits.
insert into @gate (name, "limit")
select * from unnest($1::text[], $2::text[]) as gate (name, "limit")
order by name
on conflict (name) do nothing
