-- $1 names, $2 tasks, $3 queues, $4 ranks, $5 most attempts, $6 within how many µs of their tick jobs have to begin,
-- $7 when they tick, $8 in which zones, $9 what of missed ticks, $10 what of overlaps, $11 payloads, $12 the time,
-- $13 the number of the set that declares them, $14 whether they are created through a client instead, $15 limit
-- keys as JSON, because an array of arrays has but one length. What is declared writes only what changed, and nothing that a
-- live worker with a higher number declares too, or knows by a later name.
with later as materialized (
  select distinct unnest(names) as name
  from @edition
  where number > $13::bigint and number in (select edition from @worker where gone is null)),
given as (
  select name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload,
         array(select jsonb_array_elements_text(keys)) as limit_keys
  from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::bigint[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::bytea[], $15::jsonb[])
       as given (name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload, keys)),
changed as (
  select given.*
  from given
  where $14::boolean
    or given.name not in (
      select jsonb_array_elements_text(task.options -> 'aliases') from later join @task as task using (name))
    -- What stays as it is is left out: a conflict locks also a row that it doesn't change, and who wants to fire it passes by.
    and not exists (
      select from @schedule as known
      where known.name = given.name
        and (known.created
          or known.name in (select name from later)
          or (known.task, known.queue, known.rank, known.max_attempts, known.expires_in, known.cadence, known.zone,
              known.missed, known.overlap, known.payload, known.limit_keys)
             is not distinct from
             (given.task, given.queue, given.rank, given.max_attempts, given.expires_in, given.cadence, given.zone,
              given.missed, given.overlap, given.payload, given.limit_keys))))
insert into @schedule as known (name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload,
                               limit_keys, created, last)
select changed.*, $14, coalesce($12::timestamptz, statement_timestamp())
from changed
order by name
on conflict (name) do update
set task = excluded.task, queue = excluded.queue, rank = excluded.rank, max_attempts = excluded.max_attempts,
    expires_in = excluded.expires_in, cadence = excluded.cadence, zone = excluded.zone, missed = excluded.missed,
    overlap = excluded.overlap, payload = excluded.payload, limit_keys = excluded.limit_keys,
    generation = known.generation + 1,
    -- The new expression's ticks before it was there weren't missed.
    last = case when (known.cadence, known.zone) = (excluded.cadence, excluded.zone) then known.last
                else greatest(known.last, excluded.last) end,
    waiting = case when (known.cadence, known.zone) = (excluded.cadence, excluded.zone) then known.waiting end
where known.created = excluded.created
