//! What there is to see where a promise was broken: all that is known of a few of the jobs, in the order in which it happened,
//! and what the monkey did meanwhile.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use pgq::sqlx::{self, AssertSqlSafe, PgPool};

/// Something that the monkey did, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) what: String,
    pub(crate) begun: SystemTime,
    pub(crate) ended: SystemTime,
}

/// Of so many jobs all is told.
const TOLD: usize = 6;
/// So long before and after what happened to them the monkey's deeds are told too.
const AROUND: f64 = 5.0;

/// Limits are exact relative to leases: an attempt counts from when it was written down, under the lease that held its job then,
/// until it ended or the lease did, whichever came first. (A claim that the server forgot in a crash, and one that is somebody
/// else's by then, has no lease. What was written down under one is on disk, and so is the claim before it.) One that failed ended
/// when it was left, or its failure was written; of one that left nothing it is only known that its job ran again.
pub(crate) const SPANS: &str = "
    select run.job, run.task, run.key, run.noted as begun,
           coalesce(least(run.ended, lease_end.at,
                          (select min(at) from departure
                           where departure.job = run.job and departure.epoch = run.epoch and departure.worker = run.worker),
                          (select min(ended) from pgq.failure where failure.job = run.job and failure.epoch = run.epoch)),
                    (select min(noted) from run as later where later.job = run.job and later.epoch > run.epoch)) as ended
    from run left join lease_end using (lease)
    where run.key is not null and run.lease is not null";

/// The jobs that ran beside each other when most of these tasks and of one key did.
pub(crate) async fn crowd(pool: &PgPool, tasks: &[&str]) -> Result<Vec<i64>, sqlx::Error> {
    let query = format!(
        "with span as (select * from ({SPANS}) as attempt where task = any ($1) and (begun < ended or ended is null)),
         crowd as (
           select one.key, one.begun as at
           from span as one
           join span as other on other.key = one.key and other.begun <= one.begun
                             and (other.ended > one.begun or other.ended is null)
           group by one.job, one.key, one.begun
           order by count(*) desc
           limit 1)
         select distinct job from span join crowd using (key)
         where span.begun <= crowd.at and (span.ended > crowd.at or span.ended is null)
         order by job"
    );
    sqlx::query_scalar(AssertSqlSafe(query)).bind(tasks).fetch_all(pool).await
}

/// What is known of these jobs.
const LIFE: &str = "
    with attempt as (select * from run where job = any ($1)),
    event (at, job, what) as (
      select begun, job, format('attempt %s begun by worker %s, after %s crashes', epoch, worker, crashes) from attempt
      union all
      select noted, job, format('attempt %s written down under lease %s', epoch, coalesce(lease::text, 'of nobody')) from attempt
      union all
      select departure.at, job, format('attempt %s left by worker %s', epoch, worker)
      from departure where job = any ($1)
      union all
      select ended, job, format('attempt %s at its end', epoch) from attempt
      union all
      select lease_end.at, job, format('lease %s declared over, of attempt %s', lease, epoch) from attempt join lease_end using (lease)
      union all
      select kill.at, job, format('worker %s killed, of attempt %s', worker, epoch)
      from attempt join worker_process using (worker) join kill using (pid)
      union all
      select ended, job, format('failure of attempt %s: %s, %s', epoch, kind, message) from pgq.failure where job = any ($1)
      union all
      select finished, id, format('end of attempt %s written: state %s, lease %s', epoch, state, lease)
      from pgq.history where id = any ($1)
      union all
      select clock_timestamp(), id, format('still there: lane %s, epoch %s, lease %s, due %s', lane, epoch, coalesce(lease::text, 'of nobody'), run_at)
      from pgq.job where id = any ($1))
    select extract(epoch from at)::float8, job, what from event where at is not null order by at, job";

/// All that is known of some of these jobs, and what was done around that time.
pub(crate) async fn tell(pool: &PgPool, jobs: &[i64], deeds: &[Deed]) -> Result<String, sqlx::Error> {
    let told = &jobs[..jobs.len().min(TOLD)];
    let life: Vec<(f64, i64, String)> = sqlx::query_as(LIFE).bind(told).fetch_all(pool).await?;
    let mut lines: Vec<(f64, String)> =
        life.into_iter().map(|(at, job, what)| (at, format!("job {job}: {what}"))).collect();
    let (first, last) = match lines.as_slice() {
        [(first, _), .., (last, _)] => (*first, *last),
        [(only, _)] => (*only, *only),
        [] => return Ok(format!("  of {told:?} nothing is known\n")),
    };
    let done = deeds.iter().map(|deed| (seconds(deed.begun), seconds(deed.ended), &deed.what));
    let done = done.filter(|(begun, ended, _)| *ended >= first - AROUND && *begun <= last + AROUND);
    lines.extend(done.map(|(begun, ended, what)| (begun, format!("monkey: {what}, for {:.3} s", ended - begun))));
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut story = String::new();
    for (at, what) in lines {
        let _ = writeln!(story, "  {:>+9.3} s  {what}", at - first);
    }
    if jobs.len() > told.len() {
        let _ = writeln!(story, "  and {} more jobs", jobs.len() - told.len());
    }
    Ok(story)
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
