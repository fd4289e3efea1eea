-- How many µs until the next gate opens; $1 the time.
select ceil(extract(epoch from opens - coalesce($1::timestamptz, statement_timestamp())) * 1000000)::bigint
from @gate
where opens is not null
order by opens
limit 1
