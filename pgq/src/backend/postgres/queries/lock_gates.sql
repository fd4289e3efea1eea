-- Locks the gates $1, in order; which there are. What they let through is read in another statement, which sees what was
-- committed while this one waited.
select name from @gate where name = any ($1::text[]) order by name for update
