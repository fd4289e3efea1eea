-- Gates that were read under their locks, as they stand under another rate: $1 names, $2 and $3 when they are at rest, $4 by which rate.
update @gate as gate
set rest = turned.rest, owed = turned.owed, pace = turned.pace
from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) as turned (name, rest, owed, pace)
where gate.name = turned.name
