-- Takes away the tombstones of the jobs $1, which are to hold their unique keys themselves again.
delete from @job where id = any ($1::bigint[]) and lane = 3
