-- $1 lease, $2 queues, $3 tasks, $4 how many of each, $5 how many in all, $6 how many bytes of payload in all; for each of
-- the tasks the last key that this worker has passed: $7 ranks (32768 where it has passed none), $8 instants, $9 ids; $10
-- the time; $11 whether to take from all tasks at once, whatever their heads' ranks: where somebody has locked what
-- should come first, that is left to him; $12 whether a suspect may be among them, one at most: a job of $13 crashes or more;
-- groups of tasks that share what room there is: $14 places of tasks, $15 numbers of groups, $16 their room. Of a task of
-- which none is wanted it is only answered that there is something. $17 how often the worker has settled doubts: a claim that a
-- broken link delivers after that wins nothing. Nor does one on a server that may have forgotten claims of this worker: it could
-- win what this worker runs, under the same number.
-- A worker that rescue is declaring gone (`for update`) waits here and then finds itself gone; one that is here first is
-- left alone by rescue. So no claim can commit for a worker that was declared gone.
with remembered as materialized (select from @remembered where worker = $1::bigint),
me as materialized (select from @worker where id = $1 and gone is null and doubts = $17 and exists (select from remembered) for key share),
paused as materialized (
  select kind, name from @pause where until is null or until > coalesce($10::timestamptz, statement_timestamp())),
-- The first job of each task, looked at without a lock: one of a better rank than what was passed, or one behind that.
head as materialized (
  select want.place, want.queue, want.task, want.cap, first.rank, first.run_at, first.id,
         -- Where a better rank came in, what was passed begins behind it, and isn't walked again.
         case when first.rank < want.rank then want.rank - 1 else 32767 end as before_passed
  from unnest($2::text[], $3::text[], $4::bigint[], $7::int[], $8::timestamptz[], $9::bigint[])
         with ordinality as want (queue, task, cap, rank, run_at, id, place)
  cross join lateral (
    (select job.rank, job.run_at, job.id from @job as job
     where job.queue = want.queue and job.task = want.task and job.lane = 0 and job.lease is null
       and (job.crashes < $13::int or $12::boolean) and job.rank < want.rank
     order by job.rank, job.run_at, job.id
     limit 1)
    union all
    (select job.rank, job.run_at, job.id from @job as job
     where job.queue = want.queue and job.task = want.task and job.lane = 0 and job.lease is null
       and (job.crashes < $13 or $12) and (job.rank, job.run_at, job.id) > (want.rank, want.run_at, want.id)
     order by job.rank, job.run_at, job.id
     limit 1)
    order by rank, run_at, id
    limit 1) as first
  where not exists (
    select from paused
    where kind = 'queue' and name = want.queue or kind = 'task' and name = want.task)),
best as materialized (
  select min(rank) as rank,
         count(*) filter (where $11::boolean or rank = lowest) as tied,
         min(rank) filter (where rank > lowest) as next
  from head, (select min(rank) as lowest from head where cap > 0) as least
  where cap > 0),
-- The room of a group is divided among those of its tasks whose turn it is.
bound as materialized (
  select place, min(room / members + case when nth <= room % members then 1 else 0 end) as most
  from (select head.place, member.room, count(*) over (partition by member.number) as members,
               row_number() over (partition by member.number order by head.run_at, head.id) as nth
        from unnest($14::bigint[], $15::bigint[], $16::bigint[]) as member (place, number, room)
        join head on head.place = member.place
        join best on $11 or head.rank = best.rank
        where head.cap > 0) as divided
  group by place),
-- A task that is alone at the front goes on until just before the next one's head; several share the front rank, the
-- one with the oldest head first. The caps add up to no more than $5, so that nothing is locked that isn't taken.
turn as materialized (
  select head.queue, head.task, head.rank, head.run_at, head.id,
         least(case when $11 then 32767
                    when best.tied > 1 then best.rank
                    else coalesce(best.next - 1, 32767) end,
               head.before_passed) as last_rank,
         least(head.cap, bound.most, $5::bigint / best.tied
           + case when row_number() over (order by head.run_at, head.id) <= $5 % best.tied then 1 else 0 end) as cap
  from head join best on $11 or head.rank = best.rank left join bound on bound.place = head.place
  where head.cap > 0),
locked as materialized (
  select taken.*
  from me, turn
  cross join lateral (
    select job.ctid as tid, job.rank, job.run_at, job.id, octet_length(job.payload) as bytes,
           job.crashes >= $13 as suspect
    from @job as job
    where job.queue = turn.queue and job.task = turn.task and job.lane = 0 and job.lease is null
      and (job.crashes < $13 or $12)
      and (job.rank, job.run_at, job.id) >= (turn.rank, turn.run_at, turn.id) and job.rank <= turn.last_rank
    order by job.rank, job.run_at, job.id
    limit turn.cap
    for update skip locked) as taken),
picked as materialized (
  select array_agg(tid) filter (where bytes_before < $6::bigint) as tids, count(*) as locked
  from (select tid, suspect,
               sum(bytes) over line - bytes as bytes_before,
               count(*) filter (where suspect) over line as suspects
        from locked
        window line as (order by rank, run_at, id)) as weighed
  -- The other suspects are left for when the first has ended.
  where not suspect or suspects = 1),
-- By ctid: `id in (select … limit)` plans badly, and the rows are locked, so their ctids stand.
claimed as (
  update @job
  set lease = $1, epoch = epoch + 1, attempt = least(attempt, 32766) + 1,
      progress = null, progress_total = null, progress_at = null
  where ctid = any ((select tids from picked)::tid[])
  returning id, epoch, attempt, max_attempts, crashes, queue, task, codec, rank, run_at, created, headers, payload,
            expires_at <= coalesce($10, statement_timestamp()) as expired, extra)
-- Always a row: a row that was released between our snapshot and our lock is locked and not returned, and whoever sees
-- more locked than returned claims again.
select claimed.*, picked.locked, (select count(*) from turn) as turns,
       (select array_agg(place) from head where cap = 0) as blocked,
       not exists (select from remembered) as forgetful,
       -- One task had jobs, and fewer than its turn may take, to the last rank: nothing else is there.
       exists (select from turn where last_rank = 32767 and cap > picked.locked)
         and (select count(*) from head) = 1 and (select count(*) from locked) = picked.locked as all_won
from picked left join claimed on true
