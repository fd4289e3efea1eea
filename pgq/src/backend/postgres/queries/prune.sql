-- $1 how many rows of each at most, $2 the time, $3 up to when history was pruned by the step before this one: under an old
-- snapshot dead rows stay in the index, and each step would walk past all that went before it. Failures go with their job. $4 of which jobs
-- only, unless that is null, and $5 of which not.
with history as (
  delete from @history_default
  where ctid = any (array(
    select ctid from @history_default
    where expires <= coalesce($2::timestamptz, statement_timestamp())
      and expires >= coalesce($3::timestamptz, '-infinity')
      and ($4::bigint[] is null or id = any ($4)) and id <> all ($5::bigint[])
    order by expires
    limit $1::bigint
    for update skip locked))
  returning id, expires),
forgotten as (
  delete from @failure where job = any (array(select id from history))),
-- Tombstones of unique keys.
tomb as (
  delete from @job
  where ctid = any (array(
    select ctid from @job
    where lane = 3 and run_at <= coalesce($2, statement_timestamp())
      and ($4 is null or id = any ($4)) and id <> all ($5)
    order by run_at
    limit $1
    for update skip locked))
  returning id)
select (select count(*) from history) + (select count(*) from tomb), (select max(expires) from history)
