-- Declares the workers $1 gone unless they have beaten since $2; $3 the time.
--
-- `for update` conflicts with the `for key share` of a claim in flight, which an update alone would not: such a worker is
-- left for the next time, and a claim that comes later waits here and then finds the worker gone.
with lost as materialized (
  select worker.id
  from unnest($1::bigint[], $2::timestamptz[]) as sighted (id, beat)
  join @worker as worker on worker.id = sighted.id and worker.beat = sighted.beat
  where worker.gone is null
  for update of worker skip locked),
asleep as (delete from @sleeper using lost where worker = lost.id)
update @worker as worker set gone = coalesce($3::timestamptz, clock_timestamp()) from lost where worker.id = lost.id
returning worker.id
