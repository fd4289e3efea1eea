-- Locks the limits $2, in order, all of them where it is null, for the worker $1; whether he lives, and which were there. As with claims, nothing can be
-- taken for a worker that was declared gone. His own row is locked last: who waits for a limit that somebody has locked can leave
-- meanwhile, or be declared gone.
with locked as materialized (
  select name from @limit where $2::text[] is null or name = any ($2) order by name for update),
me as materialized (
  select from @worker where id = $1::bigint and gone is null and (select count(*) from locked) >= 0 for key share)
select exists (select from me), array(select name from locked)
