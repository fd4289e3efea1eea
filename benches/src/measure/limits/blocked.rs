//! What jobs that a limit holds up cost those beside them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgq::{Client, Task, Worker};
use pgq_benches::own;
use sqlx::PgPool;

use crate::bench::Bench;
use crate::counts::Cost;
use crate::database::client;
use crate::figures::{Section, median, per_second, ratio, section};
use crate::load::{self, App, Meter};

/// So many times the jobs that are drained wait beside them.
const BLOCKED: u32 = 5;

/// What a drain took.
struct Drained {
    rate: f64,
    /// Of a job; `None` where the server doesn't count.
    cost: Option<Cost>,
}

pub(super) async fn run(bench: &Bench) -> Result<Section> {
    let (mut alone, mut beside) = (vec![], vec![]);
    for round in 1..=bench.rounds {
        for turn in [0, 1].map(|turn| if round % 2 == 1 { turn } else { 1 - turn }) {
            match turn {
                0 => alone.push(drain(bench, 0).await?),
                _ => beside.push(drain(bench, bench.jobs * BLOCKED).await?),
            }
        }
        let last = |drained: &[Drained]| drained.last().map(|drained| drained.rate).unwrap_or_default();
        let (alone, beside, blocked) = (last(&alone), last(&beside), bench.jobs * BLOCKED);
        eprintln!("  round {round}: {alone:.0}/s alone, {beside:.0}/s beside {blocked} blocked ones");
    }
    let rates = |drained: &[Drained]| drained.iter().map(|drained| drained.rate).collect::<Vec<_>>();
    let costs = |drained: &[Drained], which: fn(Cost) -> f64| {
        median(&drained.iter().filter_map(|drained| drained.cost).map(which).collect::<Vec<_>>())
    };
    Ok(section(
        "limits_blocked",
        [
            ("blocked", f64::from(bench.jobs * BLOCKED)),
            ("alone_per_s", median(&rates(&alone))),
            ("beside_per_s", median(&rates(&beside))),
            ("ratio_beside", ratio(&rates(&beside), &rates(&alone))),
            ("alone_buffers", costs(&alone, |cost| cost.buffers)),
            ("beside_buffers", costs(&beside, |cost| cost.buffers)),
            ("alone_wal_bytes", costs(&alone, |cost| cost.wal)),
            ("beside_wal_bytes", costs(&beside, |cost| cost.wal)),
            ("alone_statements", costs(&alone, |cost| cost.statements)),
            ("beside_statements", costs(&beside, |cost| cost.statements)),
        ],
    ))
}

/// Drains jobs of a task beside so many of another one of which a single one may run, and does.
async fn drain(bench: &Bench, blocked: u32) -> Result<Drained> {
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(2).await?;
    let client = client(&pool)?;
    if blocked > 0 {
        load::fill::<load::hog>(&client, blocked).await?;
    }
    let last = load::fill::<load::noop>(&client, bench.jobs).await?;
    settle(&pool).await?;

    let before = Cost::read(&pool).await?;
    let meter = Meter::new(bench.jobs);
    let worker = worker(client, bench, &meter).await?;
    let start = Instant::now();
    meter.all().await;
    written(&pool, last).await?;
    let rate = per_second(bench.jobs, start.elapsed());
    let after = Cost::read(&pool).await?;

    worker.stop().await?;
    let left: i64 = sqlx::query_scalar("select count(*) from pgq.job").fetch_one(&pool).await?;
    ensure!(left == i64::from(blocked), "expected a queue of {blocked} jobs after the drain, got {left}");
    pool.close().await;
    fresh.drop().await?;
    Ok(Drained { rate, cost: before.zip(after).map(|(before, after)| after.since(&before, bench.jobs.into())) })
}

/// As a queue is some time after it was filled, on any day: on disk, looked through by autovacuum, which would come in the middle
/// of one drain and not of another, and by the fleet, which looks through all jobs for lost leases once a minute.
async fn settle(pool: &PgPool) -> Result<()> {
    sqlx::raw_sql(own!("vacuum analyze pgq.job")).execute(pool).await?;
    sqlx::raw_sql(own!("insert into pgq.chore values ('sweep', clock_timestamp())")).execute(pool).await?;
    // Where this may be asked for.
    let _ = sqlx::query(own!("checkpoint")).execute(pool).await;
    Ok(())
}

async fn worker(client: Client, bench: &Bench, meter: &Meter) -> Result<Worker<App>> {
    let app = App { meter: meter.clone(), ..App::silent() };
    let builder = Worker::builder().client(client).only([load::noop::NAME, load::hog::NAME]).tasks_only();
    let worker = builder.slots(bench.slots).drain_timeout(Duration::ZERO).resources(app).spawn().await;
    worker.context("the worker can't start")
}

/// Waits until the last ends are written too.
async fn written(pool: &PgPool, last: i64) -> Result<()> {
    let query = own!("select exists (select from pgq.job where id between $1 and $2)");
    while sqlx::query_scalar(query).bind(last - 10_000).bind(last).fetch_one(pool).await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
