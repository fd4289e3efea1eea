select job, attempt, epoch, kind, message, chain, at from @failure where job = any ($1::bigint[]) order by job, epoch
