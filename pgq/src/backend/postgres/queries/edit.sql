-- Changes the queued job $1, where it is of the task $2 or that is null: $3 rank, $4 instant or $5 delay in µs, $6 codec, $7
-- payload, $9 limit keys, each null where it stays; $8 the time. Waits for nobody's lock.
with held as (
  select ctid as tid from @job where id = $1::bigint and lease is null and lane <> 3 for update skip locked),
given as (
  select coalesce($4::timestamptz, now + $5::bigint * interval '1 microsecond') as run_at, now
  from coalesce($8::timestamptz, statement_timestamp()) as now),
changed as (
  update @job as job
  set rank = coalesce($3::smallint, job.rank),
      run_at = coalesce(given.run_at, job.run_at),
      lane = case when given.run_at > given.now then 1
                  -- Other limit keys have other gates.
                  when given.run_at is null and ($9::text[] is null or job.lane <> 2) then job.lane
                  else 0 end,
      limit_key = case when $9 is not null then $9[1]
                       -- Another place: it stands before its first gate again.
                       when given.run_at is not null then job.extra #>> '{limit_keys,0}'
                       else job.limit_key end,
      -- It has as long to begin as it had, from when on it may run.
      expires_at = case when given.run_at is null then job.expires_at
                        else job.expires_at + (greatest(given.run_at, given.now) - greatest(job.run_at, job.created)) end,
      codec = coalesce($6::smallint, job.codec),
      payload = coalesce($7::bytea, job.payload),
      extra = case when $9 is null then job.extra
                   else nullif(coalesce(job.extra, '{}') - 'limit_keys'
                               || case when cardinality($9) > 0 then jsonb_build_object('limit_keys', $9) else '{}' end,
                               '{}') end
  from held, given
  where job.ctid = held.tid and ($2::text is null or job.task = $2)
  returning job.id, job.queue, job.task)
select exists (select from changed) as done,
       coalesce(job.lease is not null, false) as running,
       coalesce(job.task <> $2, false) as other,
       job.id is not null as queued,
       (select state from @history where id = $1 limit 1) as state,
       changed.queue, changed.task
from (select) as always
left join @job as job on job.id = $1 and job.lane <> 3
left join changed on true
