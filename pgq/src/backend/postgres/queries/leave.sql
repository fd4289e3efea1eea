-- The jobs $1 run no longer: the gates that they had passed, now locked, in order.
with gone as (delete from @pass where job = any ($1::bigint[]) returning gate)
select name from @gate where name in (select gate from gone) order by name for update
