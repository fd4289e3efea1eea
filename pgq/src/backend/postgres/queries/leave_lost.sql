-- What is counted at gates and doesn't run: that of workers that are gone, once their jobs are free, or, if $1 is given, of that
-- lease and not held under it any more. The gates.
delete from @pass as pass
where case when $1::bigint is null
           then not exists (select from @worker where id = pass.lease and (gone is null or freed is null))
           else pass.lease = $1
             and not exists (
               select from @job as job
               where job.id = pass.job and job.lease = pass.lease and job.epoch = pass.epoch) end
returning gate
