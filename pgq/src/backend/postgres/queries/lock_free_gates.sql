-- Locks those of the gates $1 that nobody else has locked; which.
select name from @gate where name = any ($1::text[]) order by name for update skip locked
