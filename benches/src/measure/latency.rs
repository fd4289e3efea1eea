//! How long a job waits for an idle worker.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgq::{Task, Worker};
use sqlx::postgres::PgListener;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::bench::Bench;
use crate::database::{Fresh, client};
use crate::figures::{Section, millis, percentile, section};
use crate::load::{App, Starts, ping};
use crate::{payload, raw};

pub(super) const ABOUT: &str = "from enqueue to handler on an idle worker, beside a bare listener that claims";

const SLOTS: usize = 10;
/// No job is so slow; a round that hangs should say so.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let (mut ours, mut bare) = (vec![], vec![]);
    let samples = bench.samples.div_ceil(bench.rounds);
    for round in 1..=bench.rounds {
        let fresh = bench.server.fresh().await?;
        let (our, raw) = (enqueue_to_handler(&fresh, samples).await?, insert_to_claim(&fresh, samples).await?);
        eprintln!("  round {round}: p50 {:.3} ms, raw {:.3} ms", percentile(&our, 50), percentile(&raw, 50));
        ours.extend(our);
        bare.extend(raw);
        fresh.drop().await?;
    }
    let (p50, raw_p50) = (percentile(&ours, 50), percentile(&bare, 50));
    let (p99, raw_p99) = (percentile(&ours, 99), percentile(&bare, 99));
    let sizes = format!("{} jobs one by one, 1 worker of {SLOTS} slots; rounds in turns: {}", ours.len(), bench.rounds);
    let figures = [
        ("p50_ms", p50),
        ("p99_ms", p99),
        ("raw_p50_ms", raw_p50),
        ("raw_p99_ms", raw_p99),
        ("ratio_p50", p50 / raw_p50),
        ("ratio_p99", p99 / raw_p99),
    ];
    Ok(vec![section("latency", sizes, figures)])
}

async fn enqueue_to_handler(fresh: &Fresh<'_>, samples: u32) -> Result<Vec<f64>> {
    let pool = fresh.pool(2).await?;
    let client = client(&pool)?;
    let (starts, mut started) = mpsc::unbounded_channel();
    let app = App { starts: Starts(starts), ..App::silent() };
    let builder = Worker::builder().client(client.clone()).only([ping::NAME]).tasks_only().slots(SLOTS);
    let worker = builder.resources(app).spawn().await?;
    let mut waits = Vec::new();
    for sample in 0..samples + WARM_UP {
        pause().await;
        let start = Instant::now();
        ping::enqueue(&client, payload::text(sample, payload::BYTES)).await?;
        let handler = timeout(PATIENCE, started.recv()).await?.context("the worker is gone")?;
        if sample >= WARM_UP {
            waits.push(millis(handler - start));
        }
    }
    worker.stop().await?;
    pool.close().await;
    Ok(waits)
}

/// Insert and commit, then notify; the listener claims on its own connection, and nothing lies in between.
async fn insert_to_claim(fresh: &Fresh<'_>, samples: u32) -> Result<Vec<f64>> {
    let pool = fresh.pool(1).await?;
    let (claims, mut claimed) = mpsc::unbounded_channel();
    let mut listener = PgListener::connect_with(&fresh.pool(1).await?).await?;
    listener.listen("bench").await?;
    let mut claiming = raw::connect(fresh.options()).await?;
    let consumer = tokio::spawn(async move {
        for _ in 0..samples + WARM_UP {
            listener.recv().await?;
            let jobs = raw::claim(&mut claiming, 10).await?;
            claims.send(Instant::now())?;
            ensure!(raw::finish(&mut claiming, &jobs).await? == 1, "expected one job for each notice");
        }
        Ok(())
    });
    let mut waits = Vec::new();
    for sample in 0..samples + WARM_UP {
        pause().await;
        let start = Instant::now();
        raw::enqueue(&pool, sample..sample + 1, payload::BYTES).await?;
        sqlx::query("select pg_notify('bench', '')").execute(&pool).await?;
        let Some(claim) = timeout(PATIENCE, claimed.recv()).await? else { break };
        if sample >= WARM_UP {
            waits.push(millis(claim - start));
        }
    }
    consumer.await??;
    pool.close().await;
    Ok(waits)
}

/// The first ones prepare statements and fill caches.
const WARM_UP: u32 = 10;

/// 5 to 30 ms, so that no rhythm of the worker's is met or missed each time.
async fn pause() {
    let micros = 5_000 + RandomState::new().hash_one(()) % 25_000;
    sleep(Duration::from_micros(micros)).await;
}
