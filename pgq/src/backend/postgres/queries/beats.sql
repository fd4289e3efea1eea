-- When the other workers last beat: a row for each; $1 who asks, $2 the time. In every row, and there is always one: the time,
-- since when this server has been there, and whether there is anything left to settle of workers that are gone: jobs, passes,
-- shares of limits, or wishes to cancel that nobody heard.
select other.id, other.beat, (extract(epoch from other.span) * 1000000)::bigint as span,
       coalesce($2::timestamptz, clock_timestamp()) as now, pg_postmaster_start_time() as server,
       exists (select from @worker where gone is not null and freed is null)
       or exists (
         select from @pass as pass
         where not exists (select from @worker where id = pass.lease and gone is null))
       or exists (
         select from @share as share
         where not exists (select from @worker where id = share.worker and gone is null))
       or exists (
         select from @signal as signal
         where not exists (
           select
           from @worker as worker
           cross join lateral (
             select from @job where id = signal.job and lease = worker.id and epoch = signal.epoch limit 1) as running
           where worker.id = signal.worker and worker.gone is null)) as "left"
from (select) as always
left join @worker as other on other.gone is null and other.id <> $1::bigint
