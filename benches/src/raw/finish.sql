-- $1 lease, $2 ids, $3 epochs.
delete from raw.job
where ctid = any (array(
  select job.ctid from unnest($2::bigint[], $3::int[]) as done (id, epoch) join raw.job on job.id = done.id
  where job.lease = $1 and job.epoch = done.epoch
  order by job.id for update of job skip locked))
returning id
