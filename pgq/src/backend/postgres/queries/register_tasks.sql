-- $1 names, $2 queues, $3 options, $4 schemas, $5 fingerprints, $6 the time. Writes only what changed; in the order of
-- names, so that two workers which start together don't deadlock.
insert into @task as known (name, queue, options, schema, fingerprint, seen)
select name, queue, options, schema, fingerprint, coalesce($6::timestamptz, statement_timestamp())
from unnest($1::text[], $2::text[], $3::jsonb[], $4::jsonb[], $5::bigint[])
       as given (name, queue, options, schema, fingerprint)
order by name
on conflict (name) do update
set queue = excluded.queue, options = excluded.options, schema = excluded.schema, fingerprint = excluded.fingerprint,
    seen = excluded.seen
where known.fingerprint <> excluded.fingerprint
