select attempt, epoch, kind, message, chain, at from @failure where job = $1::bigint order by epoch
