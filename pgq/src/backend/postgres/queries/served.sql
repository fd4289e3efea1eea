-- Whether a worker lives that has what $1 is the hash of; poll-only ones don't say what they have, and count. $2 the time, which
-- is told too.
select exists (
         select from @worker as worker
         left join @sleeper as sleeper on sleeper.worker = worker.id
         where worker.gone is null and worker.beat + worker.span >= coalesce($2::timestamptz, statement_timestamp())
           and (sleeper.worker is null or sleeper.wants @> array[$1::int])),
       coalesce($2, statement_timestamp())
