//! How fast one worker empties a queue of jobs that do nothing.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgq::{Task, Worker};
use sqlx::PgPool;

use crate::bench::Bench;
use crate::database::client;
use crate::figures::{Section, median, per_second, ratio, section};
use crate::load::{self, App, Meter};
use crate::raw;

pub(super) const ABOUT: &str = "a worker empties a queue of jobs that do nothing, without history and with it";

pub(super) async fn run(bench: &Bench) -> Result<Vec<Section>> {
    let (mut ours, mut kept, mut bare) = (vec![], vec![], vec![]);
    for round in 1..=bench.rounds {
        // In turns from either end: who comes first finds the disk as the one before left it.
        for turn in [0, 1, 2].map(|turn| if round % 2 == 1 { turn } else { 2 - turn }) {
            match turn {
                0 => ours.push(drain::<load::noop>(bench, 0).await?),
                1 => bare.push(drain_raw(bench).await?),
                _ => kept.push(drain::<load::noop_kept>(bench, bench.jobs).await?),
            }
        }
        let last = |rates: &[f64]| rates.last().copied().unwrap_or_default();
        let (ours, kept, bare) = (last(&ours), last(&kept), last(&bare));
        eprintln!("  round {round}: {ours:.0}/s, raw {bare:.0}/s, with history {kept:.0}/s");
    }
    Ok(vec![
        section(
            "drain",
            [("jobs_per_s", median(&ours)), ("raw_per_s", median(&bare)), ("ratio_to_raw", ratio(&ours, &bare))],
        ),
        section(
            "drain_history",
            [
                ("jobs_per_s", median(&kept)),
                ("ratio_to_raw", ratio(&kept, &bare)),
                ("ratio_to_drain", ratio(&kept, &ours)),
            ],
        ),
    ])
}

async fn drain_raw(bench: &Bench) -> Result<f64> {
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(1).await?;
    for _ in 0..bench.jobs.div_ceil(load::BATCH) {
        raw::enqueue(&pool, load::BATCH, load::PAYLOAD).await?;
    }
    let jobs = bench.jobs.div_ceil(load::BATCH) * load::BATCH;
    let rate = raw::drain(fresh.options(), jobs).await?;
    pool.close().await;
    fresh.drop().await?;
    Ok(rate)
}

/// Drains jobs of a task that leaves so many rows of history behind.
pub(super) async fn drain<T: Task<Args = String>>(bench: &Bench, history: u32) -> Result<f64> {
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(2).await?;
    let client = client(&pool)?;
    let last = load::fill::<T>(&client, bench.jobs).await?;
    // What was filled in is on disk, where this may be asked for: more of it isn't to slow what is measured.
    let _ = sqlx::query("checkpoint").execute(&pool).await;

    let meter = Meter::new(bench.jobs);
    let app = App { meter: meter.clone(), ..App::silent() };
    let builder = Worker::builder().client(client).only([T::NAME]).tasks_only().slots(bench.slots).drain_timeout(Duration::ZERO);
    let worker = builder.resources(app).spawn().await?;
    let start = Instant::now();
    meter.all().await;
    written(&pool, last).await?;
    let rate = per_second(bench.jobs, start.elapsed());

    worker.stop().await?;
    check(&pool, history).await?;
    pool.close().await;
    fresh.drop().await?;
    Ok(rate)
}

/// Waits until the last ends are written too. Looks at the end of the queue only: a look at all of it would cost more
/// than the writes.
async fn written(pool: &PgPool, last: i64) -> Result<()> {
    let query = "select exists (select from pgq.job where id > $1)";
    while sqlx::query_scalar(query).bind(last - 10_000).fetch_one(pool).await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn check(pool: &PgPool, history: u32) -> Result<()> {
    let query = "select (select count(*) from pgq.job), (select count(*) from pgq.history)";
    let (jobs, kept): (i64, i64) = sqlx::query_as(query).fetch_one(pool).await?;
    ensure!(jobs == 0, "expected an empty queue after the drain, got {jobs} jobs");
    ensure!(kept == i64::from(history), "expected {history} rows of history, got {kept}");
    Ok(())
}
