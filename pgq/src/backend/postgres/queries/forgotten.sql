-- Those of the claims (ids $2, epochs $3) that the lease $1 doesn't hold: they have ended, or a crash of the server took them back.
-- Where one waits to be claimed anew its number is that of the claim at least, so that the next one differs.
with kept as materialized (select * from unnest($2::bigint[], $3::int[]) as kept (id, epoch)),
raised as (
  update @job as job set epoch = kept.epoch from kept where job.id = kept.id and job.lease is null and job.epoch < kept.epoch)
select id, epoch from kept
where not exists (select from @job as job where job.id = kept.id and job.lease = $1::bigint and job.epoch = kept.epoch)
