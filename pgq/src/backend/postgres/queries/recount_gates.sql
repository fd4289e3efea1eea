-- Gates that were read under their locks, as they stand under another rate: $1 names, $2 when they are at rest, $3 when they are clear,
-- $4 by which rate. A look-up for each: as a join it may walk all gates.
update @gate as gate
set rest = recounted.rest, clear = recounted.clear, pace = recounted.pace
from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) as recounted (name, rest, clear, pace)
cross join lateral (select ctid as tid from @gate where name = recounted.name limit 1) as locked
where gate.ctid = locked.tid
