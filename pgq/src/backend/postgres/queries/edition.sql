-- Numbers a set of declarations when it is first seen, and notes that a worker declares it: $1 its fingerprint, $2 the
-- names of the schedules in it, $3 the worker, $4 tasks, $5 limits, of those that tasks share $6 the name once for each $7 task that
-- does. Under a lock, so that no two see it first. Answers the number, and whether the worker lives.
with known as (select number from @edition where fingerprint = $1::bigint),
fresh as (
  insert into @edition (fingerprint, names, tasks, limits, shared, sharers)
  select $1, $2::text[], $4::text[], $5::text[], $6::text[], $7::text[]
  where not exists (select from known)
  returning number),
edition as (select number from known union all select number from fresh),
noted as (
  update @worker
  set edition = (select number from edition)
  where id = $3::bigint and gone is null
  returning id)
select number, exists (select from noted) from edition
