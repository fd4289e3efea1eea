-- Workers that are gone for an hour, and of which nothing is left; $1 the time.
with remembered as (
  delete from @remembered as remembered where not exists (select from @worker where id = remembered.worker))
delete from @worker where gone < coalesce($1::timestamptz, clock_timestamp()) - interval '1 hour' and freed is not null
