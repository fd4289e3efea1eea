-- What is counted at gates and doesn't run: of workers that are gone, or, if $1 is given, of that lease, what it no longer holds.
-- The gates.
delete from @pass as pass
where case when $1::bigint is null then not exists (select from @worker where id = pass.lease and gone is null)
           else pass.lease = $1 end
  and not exists (
    select from @job as job where job.id = pass.job and job.lease = pass.lease and job.epoch = pass.epoch)
returning gate
