-- The gates of the limits $1 let through more or fewer than before: whoever looks for gates that open looks at those where
-- somebody waits. $2 the time.
update @gate as gate
set opens = coalesce($2::timestamptz, statement_timestamp())
where "limit" = any ($1::text[]) and exists (select from @job where limit_key = gate.name and lane = 2)
