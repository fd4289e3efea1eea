//! What ran when, and whether that was within the limits.

use std::fmt;

use pgq::sqlx::{self, PgPool, raw_sql};

const TABLES: &str = "
    create table run (job bigint not null, epoch bigint not null, task text not null, key text not null, pid int not null,
                      begun timestamptz not null, ended timestamptz, primary key (job, epoch));
    create table death (pid int not null, at timestamptz not null)";

/// Starts are written down a little after they were let through, some of them later than others.
const JITTER: f64 = 0.25;

pub(crate) async fn open(pool: &PgPool) -> anyhow::Result<()> {
    raw_sql(TABLES).execute(pool).await?;
    Ok(())
}

/// How many jobs have an end to come.
pub(crate) async fn unfinished(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from pgq.job").fetch_one(pool).await
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Findings {
    attempts: i64,
    deaths: i64,
    /// The most at once, of those that there may be.
    peaks: Vec<(&'static str, i64, i64)>,
    pub(crate) violations: Vec<String>,
}

/// Limits of how many at once: what it is called, whose attempts count, and how many there may be for each key.
const CONCURRENCY: &[(&str, &[&str], i64)] = &[
    ("narrow", &["narrow"], 3),
    ("serial", &["serial"], 1),
    ("tenants, each", &["tenants"], 2),
    ("accounts, each", &["accounts"], 1),
    ("print", &["print"], 4),
    ("press: print and bind", &["print", "bind"], 5),
];

/// Limits of how many in how long: which task's, how many a second for each key, and in one moment.
const RATES: &[(&str, f64, f64)] = &[("paced", 40.0, 5.0), ("hosts", 10.0, 2.0)];

pub(crate) async fn check(pool: &PgPool) -> anyhow::Result<Findings> {
    let (mut violations, mut peaks) = (Vec::new(), Vec::new());
    let left = unfinished(pool).await?;
    if left > 0 {
        violations.push(format!("{left} jobs were left behind"));
    }
    for (what, tasks, most) in CONCURRENCY {
        let peak = peak(pool, tasks).await?;
        peaks.push((*what, peak, *most));
        if peak > *most {
            violations.push(format!("{peak} at once of {what}, which may be {most}"));
        }
    }
    for (task, rate, burst) in RATES {
        let excess = excess(pool, task, *rate, *burst).await?;
        if excess > 0 {
            violations.push(format!("{excess} starts of {task} too many in some window"));
        }
    }
    let overtaken = overtaken(pool).await?;
    if overtaken > 0 {
        violations.push(format!("{overtaken} jobs of a serial key were overtaken by later ones"));
    }
    let count = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(pool).await;
    let (attempts, deaths) = (count("select count(*) from run").await?, count("select count(*) from death").await?);
    Ok(Findings { attempts, deaths, peaks, violations })
}

/// The most attempts that ran at one moment. One whose worker was killed ran until then.
async fn peak(pool: &PgPool, tasks: &[&str]) -> anyhow::Result<i64> {
    let query = "
        with span as (
          select run.key, run.begun, coalesce(run.ended, death.at) as ended
          from run left join death using (pid)
          where run.task = any ($1)),
        change as (
          select key, begun as at, 1 as count from span
          union all
          select key, ended, -1 from span where ended is not null)
        select coalesce(max(running), 0)::bigint
        from (select sum(count) over (partition by key order by at, count) as running from change) as moment";
    Ok(sqlx::query_scalar(query).bind(tasks).fetch_one(pool).await?)
}

/// By how many starts the worst window is beyond `burst + rate * t`.
async fn excess(pool: &PgPool, task: &str, rate: f64, burst: f64) -> anyhow::Result<i64> {
    // Between the i-th and the j-th start there are j - i + 1; the bound is linear, so the worst window ends where
    // `nth - rate * at` has risen most.
    let query = "
        with start as (
          select key, row_number() over (partition by key order by begun) as nth,
                 extract(epoch from begun - min(begun) over ())::float8 as at
          from run where task = $1),
        level as (
          select key, nth, at, nth - $2 * at as level,
                 min(nth - 1 - $2 * at) over (partition by key order by nth) as lowest
          from start)
        select coalesce(max(ceil(level - lowest - $3 - $2 * $4)), 0)::bigint from level";
    Ok(sqlx::query_scalar(query).bind(task).bind(rate).bind(burst).bind(JITTER).fetch_one(pool).await?)
}

/// Jobs of one serial key that ran once, and began after a later one that did too: a crash sends a job to the back.
async fn overtaken(pool: &PgPool) -> anyhow::Result<i64> {
    let query = "
        with once as (
          select job, min(key) as key, min(begun) as begun
          from run join pgq.history on history.id = run.job and history.crashes = 0
          where run.task = 'accounts' group by job having count(*) = 1)
        select count(*)
        from (select begun, max(begun) over (partition by key order by job rows between unbounded preceding and 1 preceding)
                as before
              from once) as ordered
        where begun < before";
    Ok(sqlx::query_scalar(query).fetch_one(pool).await?)
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<38} {:>9}", "attempts", self.attempts)?;
        writeln!(f, "  {:<38} {:>9}", "workers killed", self.deaths)?;
        for (what, peak, most) in &self.peaks {
            writeln!(f, "  {:<38} {peak:>5} of {most}", format!("most at once, {what}"))?;
        }
        Ok(())
    }
}
