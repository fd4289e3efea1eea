-- The worker $1, which lives, declares the set of the number $2.
update @worker set edition = $2::bigint where id = $1::bigint
