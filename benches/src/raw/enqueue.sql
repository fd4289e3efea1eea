-- The columns that pgq writes. $1 queues, $2 tasks, $3 ranks, $4 instants, $5 most attempts, $6 codecs, $7 payloads.
insert into raw.job (queue, task, rank, run_at, created, lane, max_attempts, codec, payload)
select queue, task, rank, coalesce(at, statement_timestamp()), statement_timestamp(),
       case when at > statement_timestamp() then 1 else 0 end, max_attempts, codec, payload
from unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[], $5::smallint[], $6::smallint[], $7::bytea[])
     as new (queue, task, rank, at, max_attempts, codec, payload)
returning id
