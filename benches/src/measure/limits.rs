//! What limits cost that aren't reached, and how long what they hold up takes to start elsewhere.

use std::time::Instant;

use anyhow::{Context, Result};
use pgq::{Client, Task, Worker};
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep, timeout};

use crate::bench::Bench;
use crate::database::client;
use crate::drain::Drain;
use crate::figures::{Section, median, millis, percentile, ratio, section};
use crate::load::{self, App, Starts, baton};

pub(super) const ABOUT: &str =
    "drains with limits on that aren't reached, beside one without, and from an end on one worker to the start on another";

/// A start is missing long before.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let measure = async |which| match which {
        0 => Ok(Drain::of(bench).run::<load::noop>().await?.rate),
        1 => Ok(Drain::of(bench).run::<load::noop_limited>().await?.rate),
        _ => Ok(Drain::of(bench).run::<load::noop_keyed>().await?.rate),
    };
    let [off, on, keyed] = bench.in_turns(["off", "on", "with keys"], measure, |rate| *rate).await?;
    let figures = [
        ("off_per_s", median(&off)),
        ("on_per_s", median(&on)),
        ("ratio_on", ratio(&on, &off)),
        ("keyed_per_s", median(&keyed)),
        ("ratio_keyed", ratio(&keyed, &off)),
    ];
    let Waits { first, next } = handover(bench).await?;
    let waits = [
        ("p50_ms", percentile(&next, 50)),
        ("p99_ms", percentile(&next, 99)),
        ("idle_p50_ms", percentile(&first, 50)),
        ("idle_p99_ms", percentile(&first, 99)),
    ];
    let sizes = format!("{} times 2 jobs, 2 workers of 1 slot; once", next.len());
    Ok(vec![section("limits", bench.sizes(), figures), section("limits_handover", sizes, waits)])
}

/// In milliseconds.
#[derive(Default)]
struct Waits {
    /// From before two jobs are enqueued, for workers that are idle, to the start of the first.
    first: Vec<f64>,
    /// From there to the start of the second.
    next: Vec<f64>,
}

/// Two workers of one slot each, one job at a time over both, which does nothing. Which of the two runs it is up to them; those that
/// changed hands can't be told apart from here, so all count.
async fn handover(bench: &Bench<'_>) -> Result<Waits> {
    let fresh = bench.server.fresh().await?;
    let client = client(&fresh.pool(2).await?)?;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (one, two) = (worker(&client, &started).await?, worker(&client, &started).await?);
    let mut waits = Waits::default();
    for sample in 0..=bench.samples / 4 {
        let mut before = Instant::now();
        load::fill::<baton>(&client, 2).await?;
        for found in [&mut waits.first, &mut waits.next] {
            let start = timeout(PATIENCE, starts.recv()).await?.context("the workers are gone")?;
            if sample > 0 {
                found.push(millis(start.saturating_duration_since(before)));
            }
            before = start;
        }
        sleep(Duration::from_millis(u64::from(sample % 7))).await;
    }
    one.stop().await?;
    two.stop().await?;
    fresh.drop().await?;
    Ok(waits)
}

async fn worker(client: &Client, started: &mpsc::UnboundedSender<Instant>) -> Result<Worker<App>> {
    let app = App { starts: Starts(started.clone()), ..App::silent() };
    Ok(Worker::builder().client(client.clone()).only([baton::NAME]).tasks_only().slots(1).resources(app).spawn().await?)
}
