//! How late a scheduled job starts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use pgq::{Task, Worker};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::bench::Bench;
use crate::database::client;
use crate::figures::{Section, millis, percentile, section};
use crate::load::{App, Lateness, second};

pub(super) const ABOUT: &str = "from a tick of every second to its job's handler on an idle worker, beside a timer of the runtime";

/// A tick is missing long before.
const PATIENCE: Duration = Duration::from_secs(10);
/// One a second, so they are fewer than other samples by so much.
const FEWER: u32 = 16;

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let fresh = bench.server.fresh().await?;
    let client = client(&fresh.pool(2).await?)?;
    let (late, mut lateness) = mpsc::unbounded_channel();
    let app = App { lateness: Lateness(late), ..App::silent() };
    let worker = Worker::builder().client(client).only([second::NAME]).resources(app).spawn().await?;
    let (mut ours, mut timer) = (vec![], vec![]);
    for tick in 0..=bench.samples / FEWER {
        let (late, bare) = tokio::join!(timeout(PATIENCE, lateness.recv()), lateness_of_a_timer());
        let late = late?.context("the worker is gone")?;
        // The first one finds statements unprepared.
        if tick > 0 {
            ours.push(millis(late));
            timer.push(millis(bare));
        }
    }
    worker.stop().await?;
    fresh.drop().await?;
    let figures = [
        ("p50_ms", percentile(&ours, 50)),
        ("p99_ms", percentile(&ours, 99)),
        ("timer_p50_ms", percentile(&timer, 50)),
        ("timer_p99_ms", percentile(&timer, 99)),
    ];
    Ok(vec![section("ticks", format!("{} ticks, 1 worker; once", ours.len()), figures)])
}

/// Waits for the next second; by how much it was missed.
async fn lateness_of_a_timer() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let next = Duration::from_secs(now.as_secs() + 1);
    sleep(next.saturating_sub(now)).await;
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(next)
}
