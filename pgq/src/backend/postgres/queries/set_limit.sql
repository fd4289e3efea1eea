-- Bounds in place of what is declared of the limit $1: $3 at once, $4 ns between two starts, $5 in one moment. Where there is no such
-- limit it is put in, if it is the own one of a task, $2.
insert into @limit as known (name, task, keyed, overridden, own_concurrency, own_interval_ns, own_burst, tokens)
select $1::text, $2::text, false, true, $3::int, $4::bigint, $5::int, 0
where $2 is not null or exists (select from @limit where name = $1)
on conflict (name) do update
set overridden = true, own_concurrency = excluded.own_concurrency, own_interval_ns = excluded.own_interval_ns,
    own_burst = excluded.own_burst
