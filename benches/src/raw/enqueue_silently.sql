-- One job as pgq writes it, by its own statement for one without the question who sleeps. $1 queue, $2 task, $3 rank, $4 most
-- attempts, $5 codec, $6 payload.
insert into pgq.job (queue, task, rank, run_at, created, lane, max_attempts, codec, headers, payload, expires_at, extra,
                     limit_key)
select $1::text, $2::text, $3::smallint, run_at, now, case when run_at > now then 1 else 0 end, $4::smallint, $5::smallint,
       null, $6::bytea, null, null, null
from (select statement_timestamp() as now) as given
cross join lateral (select now as run_at) as due
returning id
