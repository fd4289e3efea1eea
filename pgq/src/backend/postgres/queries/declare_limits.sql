-- Puts in the limits that a set declares: $1 names, $2 whose own they are (null where tasks share them), $3 whether they are
-- keyed, $4 how many at once, $5 the time between two starts in ns, $6 bursts; $7 the number of the set, $8 its tasks, $9 the time,
-- $10 the worker, of which its set is known by now. After the locks of all limits. What a live worker's set with a higher number
-- speaks of is left alone, but for which tasks share it: those of all live workers' sets, of a task by the last one that has it and
-- the limit. A limit of a task of ours that isn't declared any more is gone, unless an operator has set it or one of its gates, and so
-- is what a program that goes on has declared and no live worker does. Answers what changed.
with live as materialized (
  select distinct edition.*
  from @worker as worker join @edition as edition on edition.number = worker.edition
  where worker.gone is null),
higher as materialized (select tasks, limits from live where number > $7::bigint),
others as materialized (
  select distinct unnest(edition.tasks) as task
  from @worker as worker join @edition as edition on edition.number = worker.edition
  where worker.gone is null and worker.id <> $10::bigint),
sharing as materialized (
  select distinct said.name, said.task
  from live cross join lateral unnest(live.shared, live.sharers) as said (name, task)
  where not exists (
    select from live as later
    where later.number > live.number and said.name = any (later.limits) and said.task = any (later.tasks))),
given as materialized (
  select given.*,
         array(select sharing.task from sharing where sharing.name = given.name order by 1) as sharers,
         exists (
           select from higher
           where case when given.task is null then given.name = any (limits) else given.task = any (tasks) end) as overruled
  from unnest($1::text[], $2::text[], $3::boolean[], $4::int[], $5::bigint[], $6::int[])
         as given (name, task, keyed, concurrency, interval_ns, burst)),
joined as (
  -- What runs elsewhere of a task that shares a limit only now is to be said.
  select given.name, exists (
           select from others
           where task = any (given.sharers) and task <> all (known.sharers)) as unknown
  from given join @limit as known on known.name = given.name),
put as (
  insert into @limit as known (name, task, sharers, keyed, edition, concurrency, interval_ns, burst, tokens, filled)
  select name, task, sharers, keyed, $7, concurrency, interval_ns, burst,
         -- Nobody knows what was started where others run its tasks without it.
         case when exists (select from others where task = any (given.sharers || given.task))
              then 0 else coalesce(burst, 0) * 1000000::bigint end,
         case when burst is not null then coalesce($9::timestamptz, statement_timestamp()) end
  from given
  where not overruled
  on conflict (name) do update
  set task = excluded.task, sharers = excluded.sharers, keyed = excluded.keyed, edition = excluded.edition,
      concurrency = excluded.concurrency, interval_ns = excluded.interval_ns, burst = excluded.burst,
      counted = known.counted and not exists (select from joined where joined.name = known.name and unknown)
  where (known.task, known.sharers, known.keyed, known.edition, known.concurrency, known.interval_ns, known.burst)
        is distinct from
        (excluded.task, excluded.sharers, excluded.keyed, excluded.edition, excluded.concurrency, excluded.interval_ns,
         excluded.burst)
  returning name),
shared as (
  update @limit as known
  set sharers = given.sharers,
      counted = known.counted and not exists (select from joined where joined.name = known.name and unknown)
  from given
  where known.name = given.name and given.overruled and given.task is null and known.sharers <> given.sharers
  returning known.name),
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
select name from put union all select name from shared union all select name from vanished
