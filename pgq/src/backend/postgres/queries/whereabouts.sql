-- Where the job $1 stands: 0 ready, 1 deferred, 2 parked, 3 running, 4 finished; $2 the time.
select task, queue,
       case when lease is not null then 3
            when lane = 1 and run_at > coalesce($2::timestamptz, statement_timestamp()) then 1
            when lane = 2 then 2
            else 0 end::smallint as place,
       run_at, limit_key, worker.host || ':' || worker.pid as worker, null::smallint as state,
       array(select jsonb_array_elements_text(
         case jsonb_typeof(job.extra -> 'limit_keys') when 'array' then job.extra -> 'limit_keys' end)) as gates
from @job as job
left join @worker as worker on worker.id = job.lease and worker.gone is null
where job.id = $1::bigint and lane <> 3
union all
select task, queue, 4::smallint, run_at, null, null, state, null from @history where id = $1
