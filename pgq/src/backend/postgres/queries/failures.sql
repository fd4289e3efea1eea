select attempt, epoch, kind, message, chain, worker, started, ended from @failure where job = $1::bigint order by epoch, ended
