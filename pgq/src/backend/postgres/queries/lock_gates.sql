-- Locks the gates $1, in order; how many there are. What they let through is read in another statement, which sees what was
-- committed while this one waited.
with locked as materialized (select from @gate where name = any ($1::text[]) order by name for update)
select count(*) from locked
