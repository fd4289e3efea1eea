//! What ran when, by the database's clock.
//!
//! Handlers write down when they begin and end. When an attempt was let through is noted by the statement that did that, as of that
//! instant all holds that is said of a rate: a claim takes tokens that its worker had before, and counts them down after; a pass
//! is written under the lock of its gate, after the instant that the gate went by, and its transaction began before that.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use pgq::sqlx::postgres::PgRow;
use pgq::sqlx::{self, PgPool, Row as _, raw_sql};

use crate::tasks::Version;

const TABLES: &str = "
    create unlogged table run (job bigint not null, epoch bigint not null, task text not null, key text not null,
                               pid int not null, begun timestamptz not null, ended timestamptz, primary key (job, epoch));
    create table process (pid int primary key, version int not null);
    create table death (pid int primary key, at timestamptz not null);
    create unlogged table claim (job bigint not null, epoch bigint not null, lease bigint not null, at timestamptz not null);
    create unlogged table pass (job bigint not null, epoch bigint not null, early timestamptz not null,
                                late timestamptz not null);
    create table tenure (lease bigint primary key, pid int not null, declared timestamptz not null, gone timestamptz);
    create unlogged table change (at timestamptz not null, what text not null);
    create function note_change() returns trigger language plpgsql as $$
      begin
        insert into public.change
        values (clock_timestamp(),
                case when tg_op = 'DELETE' then format('%s is gone from the tables', old.name)
                     else format('%s is now %s at once, a start in %s ns with a burst of %s, declared by %s%s', new.name,
                                 new.concurrency, new.interval_ns, new.burst, new.edition,
                                 case when new.overridden
                                      then format(', set to %s, %s, %s', new.own_concurrency, new.own_interval_ns, new.own_burst)
                                      end)
                     end);
        return null;
      end $$;
    create trigger note_change after insert or delete or update of concurrency, interval_ns, burst, edition, overridden,
                                   own_concurrency, own_interval_ns, own_burst
      on pgq.limit for each row execute function note_change();
    create function note_claim() returns trigger language plpgsql as $$
      begin
        insert into public.claim values (new.id, new.epoch, new.lease, clock_timestamp());
        return null;
      end $$;
    create trigger note_claim after update on pgq.job for each row
      when (new.epoch > old.epoch and new.lease is not null) execute function note_claim();
    create function note_pass() returns trigger language plpgsql as $$
      begin
        insert into public.pass values (new.job, new.epoch, transaction_timestamp(), clock_timestamp());
        return null;
      end $$;
    create trigger note_pass after insert or update on pgq.pass for each row execute function note_pass();
    create function note_tenure() returns trigger language plpgsql as $$
      begin
        insert into public.tenure values (new.id, new.pid, clock_timestamp(), new.gone)
        on conflict (lease) do update set gone = excluded.gone;
        return null;
      end $$;
    create trigger note_tenure after update on pgq.worker for each row
      when (old.edition is distinct from new.edition or old.gone is distinct from new.gone) execute function note_tenure()";

pub(crate) async fn open(pool: &PgPool) -> anyhow::Result<()> {
    raw_sql(TABLES).execute(pool).await?;
    Ok(())
}

/// Until the first worker has said what there is.
pub(crate) async fn until_declared(pool: &PgPool) -> Result<(), sqlx::Error> {
    while sqlx::query_scalar::<_, i64>("select count(*) from tenure").fetch_one(pool).await? == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// How many jobs have an end to come, and gates somebody who looks at them: a worker that ends leaves that to the others.
pub(crate) async fn unfinished(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let query = "
        select (select count(*) from pgq.job)
               + (select count(*) from pgq.gate where opens < statement_timestamp())";
    sqlx::query_scalar(query).fetch_one(pool).await
}

/// One attempt. It counts until it has ended, or its process or its lease has.
pub(crate) struct Attempt {
    pub(crate) job: i64,
    pub(crate) epoch: i64,
    pub(crate) task: String,
    pub(crate) key: String,
    pub(crate) pid: i32,
    pub(crate) version: Version,
    pub(crate) begun: f64,
    pub(crate) ended: f64,
    /// Until its process left it.
    pub(crate) left: f64,
    /// Between which instants it was let through.
    pub(crate) let_through: (f64, f64),
}

/// The time in which a worker had one lease.
pub(crate) struct Tenure {
    pub(crate) version: Version,
    pub(crate) declared: f64,
    pub(crate) gone: f64,
}

/// With so many crashes a job waits, first for so many seconds.
const SUSPECT: i32 = 2;
const PAUSE: f64 = 10.0;

pub(crate) struct Ledger {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) tenures: Vec<Tenure>,
    /// What became of limits in the tables.
    pub(crate) changes: Vec<(f64, String)>,
    /// How often each job's workers died, of those that have ended.
    pub(crate) crashes: HashMap<i64, i16>,
    /// By claims (job, epoch) that a crash ended: until when the job had to wait then.
    pub(crate) pauses: BTreeMap<(i64, i64), f64>,
}

const ATTEMPTS: &str = "
    select run.job, run.epoch, run.task, run.key, run.pid, process.version, extract(epoch from run.begun)::float8,
           extract(epoch from coalesce(least(run.ended, death.at, tenure.gone), 'infinity'))::float8,
           extract(epoch from coalesce(least(run.ended, death.at), 'infinity'))::float8,
           extract(epoch from coalesce(pass.early, claim.at))::float8,
           extract(epoch from coalesce(pass.late, claim.at))::float8
    from run
    join process using (pid)
    left join death using (pid)
    left join claim using (job, epoch)
    left join tenure using (lease)
    left join (select job, epoch, min(early) as early, max(late) as late from pass group by job, epoch) as pass using (job, epoch)
    order by run.begun";

impl Ledger {
    /// Until when this attempt had to wait, as its job's workers had died again and again.
    pub(crate) fn paused_until(&self, attempt: &Attempt) -> f64 {
        let (first, last) = ((attempt.job, 0), (attempt.job, attempt.epoch));
        self.pauses.range(first..last).next_back().map_or(0.0, |(_, until)| *until)
    }

    pub(crate) async fn read(pool: &PgPool) -> anyhow::Result<Self> {
        let rows = sqlx::query(ATTEMPTS).fetch_all(pool).await?;
        let attempts = rows.iter().map(read_attempt).collect::<Result<_, _>>()?;
        let query = "
            select process.version, extract(epoch from declared)::float8,
                   extract(epoch from coalesce(gone, 'infinity'))::float8
            from tenure join process using (pid)";
        let tenures = sqlx::query(query).fetch_all(pool).await?.iter().map(read_tenure).collect::<Result<_, _>>()?;
        let crashes = sqlx::query_as("select id, crashes from pgq.history").fetch_all(pool).await?;
        let changes = "select distinct extract(epoch from at)::float8, what from change order by 1";
        let changes = sqlx::query_as(changes).fetch_all(pool).await?;
        let failures = "
            select job, epoch::bigint, kind = 'crashed', extract(epoch from ended)::float8 from pgq.failure
            order by job, epoch";
        let pauses = pauses(sqlx::query_as(failures).fetch_all(pool).await?);
        Ok(Self { attempts, tenures, changes, crashes: crashes.into_iter().collect(), pauses })
    }
}

/// After the second crash in a row a job waits, as in `pgq-core/src/crash.rs`, and three times as long after each further one.
fn pauses(failures: Vec<(i64, i64, bool, f64)>) -> BTreeMap<(i64, i64), f64> {
    let (mut crashes, mut pauses) = (HashMap::<i64, i32>::new(), BTreeMap::new());
    for (job, epoch, crashed, at) in failures {
        let crashes = crashes.entry(job).or_default();
        *crashes = if crashed { *crashes + 1 } else { 0 };
        if *crashes >= SUSPECT {
            pauses.insert((job, epoch), at + PAUSE * 3_f64.powi(*crashes - SUSPECT));
        }
    }
    pauses
}

fn read_attempt(row: &PgRow) -> Result<Attempt, sqlx::Error> {
    Ok(Attempt {
        job: row.try_get(0)?,
        epoch: row.try_get(1)?,
        task: row.try_get(2)?,
        key: row.try_get(3)?,
        pid: row.try_get(4)?,
        version: Version::read(row.try_get(5)?),
        begun: row.try_get(6)?,
        ended: row.try_get(7)?,
        left: row.try_get(8)?,
        let_through: (row.try_get(9)?, row.try_get(10)?),
    })
}

fn read_tenure(row: &PgRow) -> Result<Tenure, sqlx::Error> {
    Ok(Tenure { version: Version::read(row.try_get(0)?), declared: row.try_get(1)?, gone: row.try_get(2)? })
}
