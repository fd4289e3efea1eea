-- Writes pools that were read under their locks: $1 limits, $2 measures; of those that are rates, $3 limits, $4 tokens in their
-- free units, $5 the time; the shares in all of them: $6 limits, $7 measures, $8 workers, $9 units, $10 wishes, $11 since when,
-- $12 tokens, $14 whether they are awaited, $15 when the next token comes, $16 whether they are
-- ahead. Tells the workers $13.
with pool as (select * from unnest($1::text[], $2::smallint[]) as pool ("limit", measure)),
fresh as materialized (
  select * from unnest($6::text[], $7::smallint[], $8::bigint[], $9::int[], $10::int[], $11::timestamptz[], $12::bigint[],
                       $14::boolean[], $15::timestamptz[], $16::boolean[])
                  as fresh ("limit", measure, worker, units, wish, since, tokens, awaited, next, ahead)),
filled as (
  update @limit as known
  set tokens = rate.tokens, filled = $5::timestamptz
  from unnest($3::text[], $4::bigint[]) as rate (name, tokens)
  where known.name = rate.name),
-- Looked up pool by pool: as a join it may walk the shares of all limits. Under the locks nobody else has changed them.
gone as (
  delete from @share
  where ctid = any (array(
    select had.tid
    from pool
    cross join lateral (
      select ctid as tid from @share
      where "limit" = pool."limit" and measure = pool.measure
        and worker <> all (array(
          select fresh.worker from fresh where fresh."limit" = pool."limit" and fresh.measure = pool.measure))
      offset 0) as had))),
put as (
  insert into @share as known ("limit", measure, worker, units, wish, since, tokens, awaited, next, ahead)
  select * from fresh
  on conflict ("limit", measure, worker) do update
  set units = excluded.units, wish = excluded.wish, since = excluded.since, tokens = excluded.tokens,
      awaited = excluded.awaited, next = excluded.next, ahead = excluded.ahead
  where (known.units, known.wish, known.since, known.tokens, known.awaited, known.next, known.ahead)
        is distinct from (excluded.units, excluded.wish, excluded.since, excluded.tokens, excluded.awaited, excluded.next,
                          excluded.ahead))
select pg_notify('pgq_' || lpad(to_hex(worker), 16, '0'), 'l') from unnest($13::bigint[]) as told (worker)
