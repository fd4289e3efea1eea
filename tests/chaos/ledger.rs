//! What was promised, what was done, and whether the two agree.

use std::fmt;

use pgq::sqlx::{self, PgPool, raw_sql};

use crate::peaks::{Limit, Peak, peaks};
use crate::recoveries::{Recoveries, recoveries};

/// Ours; pgq's tables stand beside them in their own schema. Nothing here is unique: it is counted. And a disk that is full
/// when we say so.
const TABLES: &str = "
    create table promise (job bigint not null, task text not null);
    create table run (job bigint not null, epoch bigint not null, worker text not null, crashes int not null,
                      begun timestamptz not null, ended timestamptz, left_at timestamptz,
                      task text not null, key text, noted timestamptz not null, lease bigint,
                      primary key (job, epoch));
    create table effect (job bigint not null);
    create table receipt (job bigint primary key, paid bigint not null);
    create table worker_process (worker text primary key, pid int not null);
    create table kill (pid int not null, at timestamptz not null);
    create table shake (at timestamptz not null);
    create table disk_full (yes boolean not null);
    create function refuse_when_full() returns trigger language plpgsql as $$
      begin
        if exists (select from public.disk_full) then
          raise 'no space left on device' using errcode = 'disk_full';
        end if;
        return new;
      end $$;
    create trigger full_disk before insert on pgq.history_default for each row execute function refuse_when_full();
    create table lease_end (lease bigint primary key, at timestamptz not null);
    create function note_lease_end() returns trigger language plpgsql as $$
      begin
        insert into public.lease_end values (new.id, new.gone);
        return new;
      end $$;
    create trigger lease_end before update on pgq.worker for each row
      when (old.gone is null and new.gone is not null) execute function note_lease_end()";

pub(crate) async fn open(pool: &PgPool) -> anyhow::Result<()> {
    raw_sql(TABLES).execute(pool).await?;
    Ok(())
}

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
    pub(crate) violations: Vec<String>,
}

const CONCURRENCY: &[Limit] = &[
    Limit { what: "narrow", tasks: &["chaos.narrow"], most: 3 },
    Limit { what: "tenants, each", tasks: &["chaos.tenants"], most: 2 },
    Limit { what: "accounts, each", tasks: &["chaos.accounts"], most: 1 },
];

/// Limits are exact relative to leases: an attempt counts from when it was written down, under the lease that held its job then,
/// until it ended or the lease did, whichever came first. (A claim that the server forgot in a crash, and one that is somebody
/// else's by then, has no lease. What was written down under one is on disk, and so is the claim before it.) One that failed ended
/// when it was left, or its failure was written; of one that left nothing it is only known that its job ran again.
const SPANS: &str = "
    select run.task, run.key, run.noted as begun,
           coalesce(least(run.ended, run.left_at, lease_end.at,
                          (select min(ended) from pgq.failure where failure.job = run.job and failure.epoch = run.epoch)),
                    (select min(noted) from run as later where later.job = run.job and later.epoch > run.epoch)) as ended
    from run left join lease_end using (lease)
    where run.key is not null and run.lease is not null";

/// A count that has to be zero, and what it counts.
const RULES: &[(&str, &str)] = &[
    (
        "jobs that were promised and have no end",
        "select count(*) from promise where not exists (select from pgq.history where id = promise.job)",
    ),
    (
        "jobs with more than one end",
        "select count(*) from (select id from pgq.history group by id having count(*) > 1) as twice",
    ),
    ("jobs that neither ended nor run", "select count(*) from pgq.job where lane <> 3"),
    (
        "paid jobs that completed without exactly one effect",
        "select count(*) from promise join pgq.history on history.id = promise.job
         where promise.task = 'chaos.paid' and history.state = 4
           and (select count(*) from effect where effect.job = promise.job) <> 1",
    ),
    (
        "effects of jobs that didn't complete",
        "select count(*) from effect where not exists (select from pgq.history where id = effect.job and state = 4)",
    ),
    (
        "paid jobs without exactly one receipt",
        "select count(*) from promise join pgq.history on history.id = promise.job
         where promise.task = 'chaos.paid' and history.state = 4
           and (select count(*) from receipt where receipt.paid = promise.job) <> 1",
    ),
    (
        "attempts that began after their successor",
        "select count(*) from run as one join run as other on other.job = one.job and other.epoch > one.epoch
         where other.begun < one.begun",
    ),
    (
        "failures of a kind that nothing here has",
        "select count(*) from pgq.failure where kind in ('panic', 'decode', 'expired')",
    ),
];

pub(crate) async fn check(pool: &PgPool) -> anyhow::Result<Findings> {
    let count = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(pool).await;
    let mut violations = Vec::new();
    for (what, query) in RULES {
        let found = count(query).await?;
        if found != 0 {
            violations.push(format!("{found} {what}"));
        }
    }
    let peaks = peaks(pool, SPANS, CONCURRENCY).await?;
    violations.extend(peaks.iter().filter_map(Peak::violation));
    let (shaken, recoveries) = recoveries(pool).await?;
    violations.extend(recoveries.violation());
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
        self.shaken.write(f, "  soon after or before an outage")?;
        self.shaken.explain(f)?;
        self.peaks.iter().try_for_each(|peak| write!(f, "{peak}"))
    }
}
