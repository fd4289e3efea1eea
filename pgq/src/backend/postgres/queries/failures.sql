select attempt, epoch, kind, message, chain, worker, started, ended
from (select * from @failure where job = $1::bigint order by epoch desc, ended desc limit 100) as last
order by epoch, ended
