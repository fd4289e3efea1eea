-- Wakes some of those who sleep and want one of $1; $2 how many, $3 the time, $4 what for. Read after the commit of what there is to
-- do: a worker says that it sleeps, commits, and looks once more, so one of the two sees the other.
select pg_notify('pgq_' || lpad(to_hex(worker), 16, '0'), $4::text)
from (
  select worker from @sleeper
  where asleep and wants && $1::int[] and until > coalesce($3::timestamptz, statement_timestamp())
  order by random()
  limit $2::bigint) as sleeping
