-- Declares workers gone whose beat is older than their span; $1 who asks, $2 the time, $3 for how long the asker's own beats
-- have been accepted in µs, null where none has failed. A beat counts from no earlier than the start of the asker, of this
-- connection of his and of those beats, so that a server which was away, or refused beats, for longer than a lease kills
-- nobody when it returns: everybody has a lease's time to beat again. Nobody declares himself gone: after a pause of the
-- whole process the next beat is as near as this. How many are gone, how many µs until the next one may be, and whether there
-- is anything left to settle of those that are: jobs, passes, shares of limits, or wishes to cancel that nobody heard.
--
-- `for update` conflicts with the `for key share` of a claim in flight, which an update alone would not: such a worker is
-- left for the next time, and a claim that comes later waits here and then finds the worker gone.
with asker as materialized (
  select me.id, now, greatest(me.started, seen.since, now - $3::bigint * interval '1 microsecond') as since
  from coalesce($2::timestamptz, clock_timestamp()) as now, @worker as me,
       (select case when $2 is null then backend_start end as since from pg_stat_activity where pid = pg_backend_pid())
         as seen
  where me.id = $1::bigint),
silent as materialized (
  select other.id
  from asker, @worker as other
  where other.gone is null and other.id <> asker.id and asker.now - greatest(other.beat, asker.since) > other.span
  for update of other skip locked),
asleep as (delete from @sleeper using silent where worker = silent.id),
gone as (
  update @worker as worker set gone = coalesce($2, clock_timestamp()) from silent where worker.id = silent.id
  returning worker.id),
-- A lease that is over and wasn't declared so belongs to a claim in flight, and tells nothing of when.
lasting as (
  select other.span - (asker.now - greatest(other.beat, asker.since)) as rest
  from asker, @worker as other
  where other.gone is null and other.id <> asker.id)
select (select count(*) from gone),
       (select (extract(epoch from min(rest)) * 1000000)::bigint from lasting where rest >= interval '0'),
       exists (select from gone)
       or exists (select from @worker where gone is not null and freed is null)
       or exists (
         select from @pass as pass
         where not exists (select from @worker where id = pass.lease and gone is null))
       or exists (
         select from @share as share
         where not exists (select from @worker where id = share.worker and gone is null))
       or exists (
         select from @signal as signal
         where not exists (
           select
           from @worker as worker
           cross join lateral (
             select from @job where id = signal.job and lease = worker.id and epoch = signal.epoch limit 1) as running
           where worker.id = signal.worker and worker.gone is null))
