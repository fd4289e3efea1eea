-- Numbers a set of declarations when it is first seen: $1 its fingerprint, $2 the names of the schedules in it, $3 tasks, $4 limits,
-- of those that tasks share $5 the name once for each $6 task that does. Under a lock, so that no two see it first. Answers the number.
with known as (select number from @edition where fingerprint = $1::bigint),
fresh as (
  insert into @edition (fingerprint, names, tasks, limits, shared, sharers)
  select $1, $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]
  where not exists (select from known)
  returning number)
select number from known union all select number from fresh
