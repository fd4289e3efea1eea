-- The other workers of this namespace but for $1, and whether one of their connections is there: each of these holds the
-- advisory lock of its worker's lease, and the server lets go of it when the connection ends. Also whose eyes these are.
with held as materialized (
  select (classid::bigint << 32) | objid::bigint as lease
  from pg_locks
  where locktype = 'advisory' and objsubid = 1 and granted
    and database = (select oid from pg_database where datname = current_database()))
select worker.id, worker.beat, exists (select from held where lease = worker.id) as held, pg_backend_pid() as eyes
from (select) as always
left join @worker as worker on worker.gone is null and worker.visible and worker.id <> $1::bigint
