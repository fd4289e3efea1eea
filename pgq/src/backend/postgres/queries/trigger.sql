-- Makes a job of the schedule $1 out of turn: $2 its tick, $3 headers, $4 what few jobs have, $5 the codec, $6 the time. It is
-- the schedule's last job from now on, unless that isn't finished.
with new as (
  insert into @job (queue, task, rank, run_at, created, lane, max_attempts, codec, headers, payload, expires_at, extra,
                    limit_key)
  select queue, task, rank, $2::timestamptz, now, case when $2 > now then 1 else 0 end, max_attempts, $5::smallint, $3::jsonb,
         payload, greatest($2, now) + expires_in * interval '1 microsecond',
         $4::jsonb || case when cardinality(limit_keys) > 0 then jsonb_build_object('limit_keys', limit_keys) else '{}' end,
         limit_keys[1]
  from @schedule, coalesce($6::timestamptz, statement_timestamp()) as now
  where name = $1::text
  returning id, queue, task),
noted as (
  update @schedule as schedule
  set job = new.id
  from new
  where schedule.name = $1
    and not coalesce((select job.lane <> 3 from @job as job where job.id = schedule.job), false))
select id, queue, task from new
