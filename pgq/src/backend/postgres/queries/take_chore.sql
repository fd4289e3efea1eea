-- Whether the chore $1 hasn't been done for $2 µs, and then it is the asker's; $3 the time.
insert into @chore as chore (name, taken)
values ($1::text, coalesce($3::timestamptz, clock_timestamp()))
on conflict (name) do update set taken = excluded.taken
where chore.taken <= excluded.taken - $2::bigint * interval '1 microsecond'
   -- Somebody has set the clock back.
   or chore.taken > excluded.taken + $2 * interval '1 microsecond'
returning name
