delete from @pause where kind = $1::text and name = $2::text
