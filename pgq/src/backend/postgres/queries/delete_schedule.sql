delete from @schedule where name = $1::text
