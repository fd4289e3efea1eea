//! What ran when, and whether that was within the limits.

use std::fmt;

use pgq::sqlx::{self, PgPool, raw_sql};

use crate::peaks::{Limit, Peak, peaks};

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
    peaks: Vec<Peak>,
    pub(crate) violations: Vec<String>,
}

const CONCURRENCY: &[Limit] = &[
    Limit { what: "narrow", tasks: &["narrow"], most: 3 },
    Limit { what: "serial", tasks: &["serial"], most: 1 },
    Limit { what: "tenants, each", tasks: &["tenants"], most: 2 },
    Limit { what: "accounts, each", tasks: &["accounts"], most: 1 },
    Limit { what: "print", tasks: &["print"], most: 4 },
    Limit { what: "press: print and bind", tasks: &["print", "bind"], most: 5 },
];

/// An attempt whose worker was killed ran until then.
const SPANS: &str = "
    select run.task, run.key, run.begun, coalesce(run.ended, death.at) as ended from run left join death using (pid)";

/// Limits of how many in how long: which task's, how many a second for each key, and in one moment.
const RATES: &[(&str, f64, f64)] = &[("paced", 40.0, 5.0), ("hosts", 10.0, 2.0)];

pub(crate) async fn check(pool: &PgPool) -> anyhow::Result<Findings> {
    let mut violations = Vec::new();
    let left = unfinished(pool).await?;
    if left > 0 {
        violations.push(format!("{left} jobs were left behind"));
    }
    let peaks = peaks(pool, SPANS, CONCURRENCY).await?;
    violations.extend(peaks.iter().filter_map(Peak::violation));
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
        self.peaks.iter().try_for_each(|peak| write!(f, "{peak}"))
    }
}
