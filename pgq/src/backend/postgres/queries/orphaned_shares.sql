-- The limits of which workers have something that are gone.
select distinct "limit" from @share as share
where not exists (select from @worker where id = share.worker and gone is null)
