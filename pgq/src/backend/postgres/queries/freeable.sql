-- Up to $1 jobs of workers that are gone, but for $2.
select id
from @job
where lease = any (array(select id from @worker where gone is not null and freed is null))
  and id <> all($2::bigint[])
limit $1::bigint
