-- Puts in the limits that a set declares: $1 names, $2 whose own they are (null where tasks share them), $3 whether they are
-- keyed, $4 how many at once, $5 the time between two starts in ns, $6 bursts; $7 the number of the set, $8 its tasks, $9 the time;
-- of what tasks share $10 the name once for each $11 task that does; $12 the worker. After the locks of all limits. What a live
-- worker's set with a higher number speaks of is left alone; a limit of a task of ours that isn't declared any more is gone, unless
-- an operator has set it or one of its gates, and so is what a program that goes on has declared and no live worker does. Answers
-- what changed.
with higher as materialized (
  select edition.tasks, edition.limits
  from @worker as worker join @edition as edition on edition.number = worker.edition
  where worker.gone is null and edition.number > $7::bigint),
given as materialized (
  select given.*,
         array(select sharer.task from unnest($10::text[], $11::text[]) as sharer (name, task)
               where sharer.name = given.name) as sharers
  from unnest($1::text[], $2::text[], $3::boolean[], $4::int[], $5::bigint[], $6::int[])
         as given (name, task, keyed, concurrency, interval_ns, burst)),
put as (
  insert into @limit as known (name, task, sharers, keyed, edition, concurrency, interval_ns, burst, tokens, filled)
  select name, task, sharers, keyed, $7, concurrency, interval_ns, burst,
         -- Nobody knows what was started where others run its tasks without it.
         case when exists (
                select from @worker as worker join @edition as edition on edition.number = worker.edition
                where worker.gone is null and worker.id <> $12::bigint
                  and edition.tasks && (given.sharers || given.task))
              then 0 else coalesce(burst, 0) * 1000000::bigint end,
         case when burst is not null then coalesce($9::timestamptz, statement_timestamp()) end
  from given
  where not exists (
    select from higher
    where case when given.task is null then given.name = any (limits) else given.task = any (tasks) end)
  on conflict (name) do update
  set task = excluded.task, sharers = excluded.sharers, keyed = excluded.keyed, edition = excluded.edition,
      concurrency = excluded.concurrency, interval_ns = excluded.interval_ns, burst = excluded.burst,
      -- What runs of a task that shares it only now is to be said.
      counted = known.counted and excluded.sharers <@ known.sharers
  where (known.task, known.sharers, known.keyed, known.edition, known.concurrency, known.interval_ns, known.burst)
        is distinct from
        (excluded.task, excluded.sharers, excluded.keyed, excluded.edition, excluded.concurrency, excluded.interval_ns,
         excluded.burst)
  returning name),
live as materialized (
  select distinct edition.number, edition.tasks, edition.limits
  from @worker as worker join @edition as edition on edition.number = worker.edition
  where worker.gone is null),
-- Of a program that is away altogether all is kept until it is back.
outlived as (
  select known.name
  from @limit as known
  where not exists (select from live where known.name = any (live.limits))
    and exists (
      select from @edition as past join live on past.tasks && live.tasks
      where known.name = any (past.limits))),
vanished as materialized (
  select name, overridden or exists (select from @gate where "limit" = known.name and overridden) as overridden
  from @limit as known
  where name <> all ($1) and edition is not null
    and (task = any ($8::text[]) and not exists (select from higher where known.task = any (tasks))
         or name in (select name from outlived))),
dropped as (
  delete from @limit where name in (select name from vanished where not overridden) returning name),
orphaned as (
  update @limit
  set edition = null, concurrency = null, interval_ns = null, burst = null
  where name in (select name from vanished where overridden)),
unshared as (delete from @share where "limit" in (select name from dropped))
select name from put union all select name from vanished
