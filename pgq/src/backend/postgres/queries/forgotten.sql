-- Those of the claims (ids $2, epochs $3) that the lease $1 doesn't hold: they have ended, or a crash of the server took them back.
-- Where one waits to be claimed anew its number is that of the claim at least, so that the next one differs. A look-up for each: as
-- joins they may walk all jobs.
with kept as materialized (select * from unnest($2::bigint[], $3::int[]) as kept (id, epoch)),
raised as (
  update @job as job
  set epoch = (select max(kept.epoch) from kept where kept.id = job.id)
  where job.id = any (array(select id from kept)) and job.lease is null
    and job.epoch < (select max(kept.epoch) from kept where kept.id = job.id))
select id, epoch from kept
where (select job.id from @job as job where job.id = kept.id and job.lease = $1::bigint and job.epoch = kept.epoch) is null
