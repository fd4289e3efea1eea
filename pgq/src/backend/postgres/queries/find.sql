-- Jobs that a filter means, the newest first. $1 only ids below this, $2 how many rows to read at most, $3 how many ids at
-- most, $4 tasks, $5 queues, $6 states by number (each null for any), $7 and $8 enqueued from and before how many µs ago, $9
-- headers, $10 names of headers, $11 part of a failure's message, $12 the time, $13 schedules. The last row has no id: it
-- tells how many rows were read, and where to go on.
with given as (select coalesce($12::timestamptz, statement_timestamp()) as now),
-- What must be read is bounded by the number of rows and not by what is found, so that no filter can take long. Few are
-- cancelled or discarded among many that were completed, and they have an index of their own.
scanned as materialized (
  select * from (
    (select id, task, queue, created, headers, extra,
            case when lease is not null then 2
                 when lane = 1 and run_at > now then case when retrying then 3 else 0 end
                 else 1 end::smallint as state
     from @job, given
     where id < $1::bigint and lane <> 3 and ($6::smallint[] is null or $6 && '{0,1,2,3}')
     order by id desc
     limit $2::bigint)
    union all
    (select id, task, queue, created, headers, extra, state from @history
     where id < $1 and ($6 is null or $6 && '{4}')
     order by id desc
     limit $2)
    union all
    (select id, task, queue, created, headers, extra, state from @history
     where id < $1 and state <> 4 and $6 && '{5,6}' and not $6 && '{4}'
     order by id desc
     limit $2)) as merged
  order by id desc
  limit $2),
meant as (
  select id
  from scanned, given
  where ($4::text[] is null or task = any ($4))
    and ($5::text[] is null or queue = any ($5))
    and ($6 is null or state = any ($6))
    and ($7::bigint is null or created <= now - $7 * interval '1 microsecond')
    and ($8::bigint is null or created > now - $8 * interval '1 microsecond')
    and ($9::jsonb is null or headers @> $9)
    and ($10::text[] is null or headers ?& $10)
    and ($13::text[] is null or extra ->> 'schedule' = any ($13))
    and ($11::text is null
         or exists (select from @failure as failure
                    where failure.job = scanned.id and position(lower($11) in lower(failure.message)) > 0))
  order by id desc
  limit $3::bigint),
reach as materialized (
  -- Where there were as many as asked for, the rows behind the last of them count as not read.
  select case when (select count(*) from meant) = $3 then (select min(id) from meant) end as last)
select id, null::bigint as read, null::bigint as next from meant
union all
select null, count(*), case when reach.last is not null or count(*) = $2 then min(scanned.id) end
from reach left join scanned on reach.last is null or scanned.id >= reach.last
group by reach.last
