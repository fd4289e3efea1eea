-- What workers that are gone were told and didn't hear.
delete from @signal where worker = any (array(select id from @worker where gone is not null)) returning job, why
