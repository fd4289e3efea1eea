-- The wish of the worker $1 to cancel the job $2 in the claim $3 is somebody else's by now, or fulfilled.
delete from @signal
where worker = $1::bigint and job = $2::bigint and epoch = $3::int
