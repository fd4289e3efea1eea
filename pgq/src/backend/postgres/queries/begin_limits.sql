-- What was started until now isn't known where nothing of the limits $1 bounded it: a rate begins with nothing, and it is waited for
-- what all live workers say that they run. $2 the time.
with bounded as (
  select name, case when overridden then own_interval_ns else interval_ns end is not null as paced,
         not keyed and case when overridden then own_concurrency else concurrency end is not null as counted
  from @limit where name = any ($1::text[])),
paced as (
  update @limit as known
  set tokens = case when bounded.paced = (filled is null) then 0 else tokens end,
      filled = case when bounded.paced then coalesce(filled, $2::timestamptz, statement_timestamp()) end,
      counted = bounded.counted,
      -- A limit that is dropped and comes back has another number, too.
      begun = case when bounded.counted and not known.counted then pg_current_xact_id()::text::bigint else begun end
  from bounded
  where known.name = bounded.name
    and (bounded.paced = (known.filled is null) or bounded.counted <> known.counted)
  returning known.name)
insert into @share ("limit", measure, worker, units, wish, since, tokens, awaited)
select known.name, 0, worker.id, 0, 0, coalesce($2, statement_timestamp()), 0, true
from @limit as known
-- As it was before this statement.
join bounded on bounded.name = known.name and bounded.counted and not known.counted
cross join @worker as worker
where worker.gone is null
on conflict ("limit", measure, worker) do update
set units = 0, wish = 0, since = excluded.since, tokens = 0, awaited = true
