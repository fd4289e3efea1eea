-- Locks the schedule $1, so that a statement after this one sees which job is its last.
select from @schedule where name = $1::text for update
