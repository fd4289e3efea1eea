-- $1 names, $2 tasks, $3 queues, $4 ranks, $5 most attempts, $6 within how many µs of their tick jobs have to begin,
-- $7 when they tick, $8 in which zones, $9 what of missed ticks, $10 what of overlaps, $11 payloads, $12 the time,
-- $13 the number of the set that declares them, $14 whether they are created through a client instead, $15 limit
-- keys as JSON, because an array of arrays has but one length. What is declared writes only what changed, and nothing that a
-- live worker with a higher number declares too.
insert into @schedule as known (name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload,
                               limit_keys, created, last)
select name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload,
       array(select jsonb_array_elements_text(keys)), $14::boolean, coalesce($12::timestamptz, statement_timestamp())
from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::bigint[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bytea[], $15::jsonb[])
       as given (name, task, queue, rank, max_attempts, expires_in, cadence, zone, missed, overlap, payload, keys)
order by name
on conflict (name) do update
set task = excluded.task, queue = excluded.queue, rank = excluded.rank, max_attempts = excluded.max_attempts,
    expires_in = excluded.expires_in, cadence = excluded.cadence, zone = excluded.zone, missed = excluded.missed,
    overlap = excluded.overlap, payload = excluded.payload, limit_keys = excluded.limit_keys,
    generation = known.generation + 1,
    -- The new expression's ticks before it was there weren't missed.
    last = case when (known.cadence, known.zone) = (excluded.cadence, excluded.zone) then known.last else excluded.last end,
    waiting = case when (known.cadence, known.zone) = (excluded.cadence, excluded.zone) then known.waiting end
where known.created = excluded.created
  and (excluded.created
    or (known.task, known.queue, known.rank, known.max_attempts, known.expires_in, known.cadence, known.zone,
        known.missed, known.overlap, known.payload)
       is distinct from
       (excluded.task, excluded.queue, excluded.rank, excluded.max_attempts, excluded.expires_in, excluded.cadence,
        excluded.zone, excluded.missed, excluded.overlap, excluded.payload)
    and not exists (
      select
      from @worker as worker join @edition as edition on edition.number = worker.edition
      where worker.gone is null and edition.number > $13::bigint and known.name = any (edition.names)))
