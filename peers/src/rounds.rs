//! Rounds of all peers in turns.

use anyhow::{Result, ensure};
use pgq_benches::database::{Admin, Fresh, Server};
use pgq_benches::figures::percentile;
use sqlx::{AssertSqlSafe, PgPool};

use crate::args::Args;
use crate::child::{self, Told};
use crate::database::Database;
use crate::environment::Environments;
use crate::peer::Entry;
use crate::tally::{Round, Tally};

pub(crate) async fn run(args: &Args, server: &Server, admin: &Admin) -> Result<Vec<Tally>> {
    let environments = Environments::prepare(&args.only);
    let mut tallies: Vec<Tally> = args.only.iter().map(|entry| Tally::new(entry, args.jobs)).collect();
    for round in 1..=args.rounds {
        for turn in 0..tallies.len() {
            // From either end: who comes first finds the disk as the one before left it.
            let turn = if round % 2 == 1 { turn } else { tallies.len() - 1 - turn };
            let tally = &mut tallies[turn];
            if tally.failure.is_none() {
                let place = Place { server, admin, environments: &environments, entry: tally.entry };
                play(&place, tally, args.samples).await?;
                eprintln!("round {round}: {}", last(tally));
            }
        }
    }
    Ok(tallies)
}

fn last(tally: &Tally) -> String {
    let name = tally.entry.name;
    match (&tally.failure, tally.rounds.last()) {
        (None, Some(round)) => format!(
            "{name}: enqueue {:.0}/s, drain {:.0}/s, p50 {:.2} ms",
            round.enqueued_per_s,
            round.drained_per_s,
            percentile(&round.waits, 50)
        ),
        (Some(why), _) => format!("{name}: {why}"),
        (None, None) => name.to_owned(),
    }
}

/// Where a peer's round is played.
struct Place<'a> {
    server: &'a Server,
    admin: &'a Admin,
    environments: &'a Environments,
    entry: &'static Entry,
}

impl Place<'_> {
    async fn phase(&self, database: &Database, name: &str, count: u32) -> Result<Told> {
        child::run(self.entry, self.environments, database, name, count).await
    }

    fn database(&self, fresh: &Fresh<'_>) -> Result<Database> {
        Database::on(self.server.url(), fresh.options().get_database().unwrap_or_default())
    }
}

/// A round of one peer. What goes wrong in it is the peer's failure, and not that of the run.
async fn play(place: &Place<'_>, tally: &mut Tally, samples: u32) -> Result<()> {
    let fresh = place.admin.empty().await?;
    let waits = wait(place, &place.database(&fresh)?, samples).await;
    fresh.drop().await?;
    let fresh = place.admin.empty().await?;
    let round = match waits {
        Ok(waits) => work(place, &fresh, tally, waits).await,
        Err(error) => Err(error),
    };
    fresh.drop().await?;
    match round {
        Ok(round) => tally.rounds.push(round),
        Err(error) => tally.failure = Some(format!("{error:#}")),
    }
    Ok(())
}

/// Latencies, on tables that nothing was in yet.
async fn wait(place: &Place<'_>, database: &Database, samples: u32) -> Result<Vec<f64>> {
    place.phase(database, "setup", 1).await?;
    Ok(place.phase(database, "latency", samples).await?.millis)
}

async fn work(place: &Place<'_>, fresh: &Fresh<'_>, tally: &mut Tally, waits: Vec<f64>) -> Result<Round> {
    let (database, jobs) = (place.database(fresh)?, tally.jobs);
    let version = place.phase(&database, "setup", 1).await?.version;
    if !version.is_empty() {
        tally.version = version;
    }
    let pool = fresh.pool(1).await?;
    let (enqueue, enqueue_wal) = journalled(&pool, place.phase(&database, "enqueue", jobs)).await?;
    // What an hour of autovacuum would have done, so that no planner is in the dark, and none meets it in its round.
    sqlx::query("vacuum analyze").execute(&pool).await?;
    let (drain, drain_wal) = journalled(&pool, place.phase(&database, "drain", jobs)).await?;
    let (left, kept) = (count(&pool, place.entry.left).await?, count(&pool, place.entry.kept).await?);
    pool.close().await;
    ensure!(left == 0, "{left} jobs have not ended after the drain");
    let all = place.entry.kept.is_empty() || kept == i64::from(jobs);
    ensure!(all, "expected {jobs} jobs to be kept as completed, got {kept}");
    let jobs = f64::from(jobs);
    Ok(Round {
        enqueued_per_s: jobs / enqueue.seconds,
        drained_per_s: jobs / drain.seconds,
        enqueue_wal: enqueue_wal / jobs,
        drain_wal: drain_wal / jobs,
        waits,
        duplicates: drain.duplicates,
        left,
        kept,
    })
}

/// A phase, and how many bytes of write-ahead log were written meanwhile.
async fn journalled(pool: &PgPool, phase: impl Future<Output = Result<Told>>) -> Result<(Told, f64)> {
    let before: String = sqlx::query_scalar("select pg_current_wal_insert_lsn()::text").fetch_one(pool).await?;
    let told = phase.await?;
    let query = "select (pg_current_wal_insert_lsn() - $1::pg_lsn)::float8";
    let bytes: f64 = sqlx::query_scalar(query).bind(before).fetch_one(pool).await?;
    Ok((told, bytes))
}

async fn count(pool: &PgPool, rows: &str) -> Result<i64> {
    if rows.is_empty() {
        return Ok(0);
    }
    Ok(sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {rows}"))).fetch_one(pool).await?)
}
