-- Gates that were read under their locks, as they stand under another rate: $1 names, $2 when they are at rest, $3 when they are clear,
-- $4 by which rate.
update @gate as gate
set rest = recounted.rest, clear = recounted.clear, pace = recounted.pace
from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) as recounted (name, rest, clear, pace)
where gate.name = recounted.name
