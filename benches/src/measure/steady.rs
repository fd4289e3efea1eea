//! How long jobs wait that come in steadily.

use std::time::Duration;

use anyhow::{Context, Result};
use pgq::{Task, Worker};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::bench::Bench;
use crate::database::client;
use crate::figures::{Section, millis, percentile, section};
use crate::load::{App, Lateness, dated};
use crate::payload;

pub(super) const ABOUT: &str = "from enqueue to handler at a steady 300 jobs a second";

const PER_SECOND: u32 = 300;
const SLOTS: usize = 50;
/// No job is so slow; a round that hangs should say so.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(4).await?;
    let client = client(&pool)?;
    let (told, mut waits) = mpsc::unbounded_channel();
    let app = App { lateness: Lateness(told), ..App::silent() };
    let builder = Worker::builder().client(client.clone()).only([dated::NAME]).tasks_only().slots(SLOTS);
    let worker = builder.resources(app).spawn().await?;
    let (mut pace, jobs) = (interval(Duration::from_secs(1) / PER_SECOND), PER_SECOND * u32::try_from(5 * bench.seconds)?);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..jobs {
        pace.tick().await;
        let client = client.clone();
        tokio::spawn(async move { dated::enqueue(&client, payload::dated()).await });
    }
    let mut found = Vec::new();
    for _ in 0..jobs {
        found.push(millis(timeout(PATIENCE, waits.recv()).await?.context("the worker is gone")?));
    }
    worker.stop().await?;
    pool.close().await;
    fresh.drop().await?;
    let sizes = format!("{jobs} jobs, {PER_SECOND} a second, 1 worker of {SLOTS} slots; once");
    let figures = [50, 95, 99].map(|percent| percentile(&found, percent));
    Ok(vec![section("steady", sizes, ["p50_ms", "p95_ms", "p99_ms"].into_iter().zip(figures))])
}
