-- Deletes the declared schedules that no live worker declares.
delete from @schedule
where not created
  and name not in (select unnest(names) from @edition where number in (select edition from @worker where gone is null))
returning name
