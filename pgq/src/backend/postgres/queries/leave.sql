-- The claims (jobs $2, epochs $3) of the lease $1 run no longer: of the gates $4, those that they had passed.
delete from @pass as pass
using unnest($2::bigint[], $3::int[], $4::text[]) as gone (job, epoch, gate)
where pass.gate = gone.gate and pass.job = gone.job and pass.epoch = gone.epoch and pass.lease = $1::bigint
returning pass.gate
