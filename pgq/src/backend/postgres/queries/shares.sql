-- Writes pools as they follow from what was read, unless somebody has changed one of their limits since: $1 these limits, $2 as of
-- which version they were read, $3 tokens in their free units, null where they aren't of a rate, $4 the time; the pools: $5 limits,
-- $6 measures; the shares in them: $7 limits, $8 measures, $9 workers, $10 units, $11 wishes, $12 since when, $13 tokens, $14 whether
-- they are awaited, $15 whether they are ahead. Tells the workers $16. For the worker $17, if it is for one: whether he lives; as with
-- claims, nothing can be taken for a worker that was declared gone. And whether nobody had changed anything.
--
-- By itself, as whoever is stopped between two statements has what he has locked for long, and whoever waits in line behind him and is
-- stopped too has it next. The worker's own row is locked last: who waits for a limit that somebody has locked can leave meanwhile, or
-- be declared gone.
with known as materialized (
  select name, xmin::text::bigint as version from @limit where name = any ($1::text[]) order by name for update),
me as materialized (
  select from @worker where id = $17::bigint and gone is null and (select count(*) from known) >= 0 for key share),
seen as (select * from unnest($1, $2::bigint[], $3::bigint[]) as seen (name, version, tokens)),
verdict as materialized (
  select $17 is null or exists (select from me) as alive,
         (select count(*) from known join seen using (name, version)) = cardinality($1)
         -- What must not be forgotten waits for the disk.
         and set_config('synchronous_commit', 'on', true) = 'on' as stands),
pool as (select * from unnest($5::text[], $6::smallint[]) as pool ("limit", measure) where (select alive and stands from verdict)),
fresh as materialized (
  select fresh.*
  from unnest($7::text[], $8::smallint[], $9::bigint[], $10::int[], $11::int[], $12::timestamptz[], $13::bigint[], $14::boolean[],
              $15::boolean[]) as fresh ("limit", measure, worker, units, wish, since, tokens, awaited, ahead)
  where (select alive and stands from verdict)),
-- Also where there are no tokens: so it is of another version.
filled as (
  update @limit as known
  set tokens = coalesce(seen.tokens, known.tokens),
      filled = case when seen.tokens is null then known.filled else $4::timestamptz end
  from seen
  where known.name = seen.name and (select alive and stands from verdict)),
-- Not as a join, which may walk the shares of all limits, nor by ctid: whoever said when he has his next token while the limit's lock
-- was waited for has written another version of the row.
gone as (
  delete from @share as share
  where share."limit" = any (array(select "limit" from pool))
    and share.measure = any (array(select measure from pool where pool."limit" = share."limit"))
    and share.worker <> all (array(
      select fresh.worker from fresh where fresh."limit" = share."limit" and fresh.measure = share.measure))),
put as (
  insert into @share as known ("limit", measure, worker, units, wish, since, tokens, awaited, ahead)
  select * from fresh
  on conflict ("limit", measure, worker) do update
  set units = excluded.units, wish = excluded.wish, since = excluded.since, tokens = excluded.tokens,
      awaited = excluded.awaited, ahead = excluded.ahead,
      -- With other units it comes at another time. Who has it says so without changing the limit.
      next = case when known.units = excluded.units then known.next end
  where (known.units, known.wish, known.since, known.tokens, known.awaited, known.ahead)
        is distinct from (excluded.units, excluded.wish, excluded.since, excluded.tokens, excluded.awaited, excluded.ahead))
select alive, stands,
       (select count(pg_notify('pgq_' || lpad(to_hex(worker), 16, '0'), 'l'))
        from unnest($16::bigint[]) as told (worker)
        where alive and stands)
from verdict
