-- The claims (jobs $2, epochs $3) of the lease $1 run no longer: of the gates $4, those that they had passed. A look-up for each: as a
-- join it may walk all passes.
delete from @pass
where ctid = any (array(
  select had.tid
  from unnest($2::bigint[], $3::int[], $4::text[]) as gone (job, epoch, gate)
  cross join lateral (
    select ctid as tid from @pass
    where gate = gone.gate and job = gone.job and epoch = gone.epoch and lease = $1::bigint
    limit 1) as had))
