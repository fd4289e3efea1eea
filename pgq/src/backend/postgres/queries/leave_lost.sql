-- What is counted at gates and doesn't run: of workers that are gone, or, if $1 is given, of that lease, what it no longer holds.
-- The gates. A look-up for each: as a join it may read all jobs. Which they are is settled before any is locked: a pass that was
-- written meanwhile, for the next claim of a job, is another one.
with lost as materialized (
  select gate, job, epoch, lease
  from @pass as pass
  where case when $1::bigint is null then not exists (select from @worker where id = pass.lease and gone is null)
             else pass.lease = $1 end
    and (select id from @job where id = pass.job and lease = pass.lease and epoch = pass.epoch) is null)
delete from @pass as pass
using lost
where pass.gate = lost.gate and pass.job = lost.job and pass.epoch = lost.epoch and pass.lease = lost.lease
returning pass.gate
