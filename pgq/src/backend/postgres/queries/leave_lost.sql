-- What is counted at gates and doesn't run: of workers that are gone, or, if $1 is given, of that lease, what it no longer holds.
-- The gates. A look-up for each: as a join it may read all jobs. Whoever has one locked takes it away himself, in another order, and
-- looks there.
with lost as materialized (
  select ctid as tid
  from @pass as pass
  where case when $1::bigint is null then not exists (select from @worker where id = pass.lease and gone is null)
             else pass.lease = $1 end
    and (select id from @job where id = pass.job and lease = pass.lease and epoch = pass.epoch) is null
  for update of pass skip locked)
delete from @pass as pass
where ctid = any (array(select tid from lost))
returning pass.gate
