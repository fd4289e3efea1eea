//! What was promised, what was done, and whether the two agree.

use std::fmt;

use pgq::sqlx::{self, PgPool};

use crate::evidence::{self, Deed, SPANS};
use crate::peaks::{Limit, Peak, peaks};
use crate::recoveries::{Recoveries, recoveries};

/// How many jobs have an end to come.
pub(crate) async fn unfinished(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from pgq.job where lane <> 3").fetch_one(pool).await
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) jobs: i64,
    pub(crate) duplicates: i64,
    pub(crate) discarded: i64,
    /// Of jobs whose worker was killed.
    pub(crate) recoveries: Recoveries,
    /// The same soon after everybody's connections had ended, when the first to come back may not have been seen by anybody.
    pub(crate) shaken: Recoveries,
    pub(crate) peaks: Vec<Peak>,
    pub(crate) violations: Vec<Violation>,
}

/// A promise that was broken.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) what: String,
    /// What happened around it.
    pub(crate) evidence: String,
}

const CONCURRENCY: &[Limit] = &[
    Limit { what: "narrow", tasks: &["chaos.narrow"], most: 3 },
    Limit { what: "tenants, each", tasks: &["chaos.tenants"], most: 2 },
    Limit { what: "accounts, each", tasks: &["chaos.accounts"], most: 1 },
];

/// What there may be none of, and the jobs of which there is.
const RULES: &[(&str, &str)] = &[
    (
        "jobs that were promised and have no end",
        "select job from promise where not exists (select from pgq.history where id = promise.job)",
    ),
    ("jobs with more than one end", "select id from pgq.history group by id having count(*) > 1"),
    ("jobs that neither ended nor run", "select id from pgq.job where lane <> 3"),
    (
        "paid jobs that completed without exactly one effect",
        "select promise.job from promise join pgq.history on history.id = promise.job
         where promise.task = 'chaos.paid' and history.state = 4
           and (select count(*) from effect where effect.job = promise.job) <> 1",
    ),
    (
        "effects of jobs that didn't complete",
        "select job from effect where not exists (select from pgq.history where id = effect.job and state = 4)",
    ),
    (
        "paid jobs without exactly one receipt",
        "select promise.job from promise join pgq.history on history.id = promise.job
         where promise.task = 'chaos.paid' and history.state = 4
           and (select count(*) from receipt where receipt.paid = promise.job) <> 1",
    ),
    (
        // Who is stopped between its look at the lease and an attempt's first step takes that step when it goes on.
        "attempts that began after their successor",
        "select one.job from run as one join run as other on other.job = one.job and other.epoch > one.epoch
         where other.begun < one.begun
           and not exists (select from went_on join worker_process using (pid)
                           where worker_process.worker = one.worker
                             and one.begun between went_on.at and went_on.at + interval '500 milliseconds')",
    ),
    (
        "jobs that completed before their last claim came to its end",
        "select id from pgq.history
         where state = 4
           and not exists (select from run where run.job = history.id and run.epoch = history.epoch and run.ended <= finished)",
    ),
    ("jobs that completed while nobody held them", "select id from pgq.history where state = 4 and lease is null"),
    (
        "claims that failed more than once",
        "select job from pgq.failure group by job, epoch having count(*) > 1",
    ),
    (
        // What was written down under a lease is on disk, and so is the end of the claim before it.
        "claims that failed after their successor had begun",
        "select failure.job from pgq.failure join run on run.job = failure.job and run.epoch > failure.epoch
         where run.lease is not null and run.noted < failure.ended",
    ),
    (
        // Another worker may have the number where a crash of the server forgot the first claim.
        "claims that their worker ran twice at once",
        "select one.job from run as one join run as other using (job, epoch, worker)
         where one.ctid <> other.ctid and one.begun <= other.begun
           and coalesce(one.ended, (select min(at) from departure
                                    where departure.job = one.job and departure.epoch = one.epoch
                                      and departure.worker = one.worker)) > other.begun",
    ),
    (
        "jobs that were discarded with crashes and attempts to spare",
        "select id from pgq.history where state = 6 and crashes < 5 and attempt < max_attempts",
    ),
    (
        "failures of a kind that nothing here has",
        "select job from pgq.failure where kind in ('panic', 'decode', 'expired')",
    ),
];

/// With what the monkey did, to tell of it where something is wrong.
pub(crate) async fn check(pool: &PgPool, deeds: &[Deed]) -> anyhow::Result<Findings> {
    let count = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(pool).await;
    let mut violations = Vec::new();
    for (what, query) in RULES {
        let found: Vec<i64> = sqlx::query_scalar(*query).fetch_all(pool).await?;
        if !found.is_empty() {
            let evidence = evidence::tell(pool, &found, deeds).await?;
            violations.push(Violation { what: format!("{} {what}", found.len()), evidence });
        }
    }
    let peaks = peaks(pool, SPANS, CONCURRENCY).await?;
    for (peak, limit) in peaks.iter().zip(CONCURRENCY) {
        if let Some(what) = peak.violation() {
            let beside = evidence::crowd(pool, limit.tasks).await?;
            violations.push(Violation { what, evidence: evidence::tell(pool, &beside, deeds).await? });
        }
    }
    let (shaken, recoveries) = recoveries(pool).await?;
    violations.extend(recoveries.violation().map(|what| Violation { what, evidence: String::new() }));
    Ok(Findings {
        jobs: count("select count(*) from promise").await?,
        duplicates: count(
            "select count(*) from (select job from run where ended is not null group by job having count(*) > 1) as twice",
        )
        .await?,
        discarded: count("select count(*) from pgq.history where state = 6").await?,
        recoveries,
        shaken,
        peaks,
        violations,
    })
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |f: &mut fmt::Formatter<'_>, what: &str, value: &dyn fmt::Display| writeln!(f, "  {what:<38} {value:>9}");
        line(f, "jobs promised", &self.jobs)?;
        line(f, "  of these discarded", &self.discarded)?;
        line(f, "  run to their end more than once", &self.duplicates)?;
        self.recoveries.write(f, "recoveries after a kill, measured")?;
        self.recoveries.explain(f)?;
        writeln!(f, "  {:<38} {:>9}", "  99 of 100 within 2 s and that wait", self.recoveries.judgement())?;
        self.shaken.write(f, "  soon after or before an outage")?;
        self.shaken.explain(f)?;
        self.peaks.iter().try_for_each(|peak| write!(f, "{peak}"))
    }
}
