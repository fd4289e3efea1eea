-- Gives the queued job $1 the rank $2, where that is better.
with held as (
  select ctid as tid from @job where id = $1::bigint and lease is null and lane <> 3 for update skip locked)
update @job as job set rank = least(job.rank, $2::smallint) from held where job.ctid = held.tid
