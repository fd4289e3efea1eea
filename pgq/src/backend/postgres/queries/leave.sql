-- The claims (jobs $2, epochs $3) of the lease $1 run no longer: the gates that they had passed.
delete from @pass as pass
using unnest($2::bigint[], $3::int[]) as gone (job, epoch)
where pass.job = gone.job and pass.epoch = gone.epoch and pass.lease = $1::bigint
returning pass.gate
