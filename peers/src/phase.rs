//! What a child process does of a peer in Rust: one phase, and a line of JSON about it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pgq_benches::figures::millis;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::adapters;
use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn};
use crate::runs::Runs;

/// How many jobs an enqueue in bulk takes at once.
pub(crate) const BATCH: u32 = 1_000;
/// The first ones prepare statements and fill caches.
const WARM_UP: u32 = 10;
/// A job that hasn't started after so long counts as if it then had: one that its worker has lost isn't to hide the others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a round looks at latencies, if its samples don't come in sooner.
const LATENCIES: Duration = Duration::from_secs(10);

/// One phase of a peer.
pub(crate) struct Phase {
    pub(crate) peer: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) count: u32,
}

pub(crate) async fn run(phase: &Phase) -> ! {
    let code = match told(phase).await {
        Ok(told) => {
            println!("{told}");
            0
        }
        Err(error) => {
            eprintln!("{error:#}");
            1
        }
    };
    // Workers are still running, and nothing that they may do now is of interest.
    std::process::exit(code);
}

async fn told(phase: &Phase) -> Result<Value> {
    let entry = adapters::find(&phase.peer)?;
    let RunsIn::Rust { connect, .. } = entry.runs_in else { bail!("{} doesn't run in Rust", entry.name) };
    let peer = connect(Database::at(phase.url.clone()));
    match phase.name.as_str() {
        "setup" => set_up(&*peer).await,
        "enqueue" => enqueue(&*peer, phase.count).await,
        "drain" => drain(&*peer, &Database::at(phase.url.clone()), entry, phase.count).await,
        "latency" => latency(&*peer, phase.count).await,
        other => bail!("expected a phase of a peer, got {other:?}"),
    }
}

async fn set_up(peer: &dyn Peer) -> Result<Value> {
    peer.set_up().await?;
    Ok(json!({}))
}

async fn enqueue(peer: &dyn Peer, jobs: u32) -> Result<Value> {
    let start = Instant::now();
    for first in (0..jobs).step_by(BATCH as usize) {
        peer.enqueue(first..jobs.min(first + BATCH)).await?;
    }
    Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
}

/// From the first job's start to the last one's end in the database.
async fn drain(peer: &dyn Peer, database: &Database, entry: &Entry, jobs: u32) -> Result<Value> {
    let runs = Runs::begin(jobs);
    peer.work().await?;
    while runs.distinct() < jobs {
        sleep(Duration::from_millis(1)).await;
    }
    database.ended(entry).await?;
    Ok(json!({ "seconds": runs.first().elapsed().as_secs_f64(), "duplicates": runs.duplicates()? }))
}

/// From before the call that enqueues to the handler's first line, on an idle worker.
async fn latency(peer: &dyn Peer, samples: u32) -> Result<Value> {
    let runs = Runs::begin(samples + WARM_UP);
    peer.work().await?;
    let (mut waits, deadline) = (Vec::new(), Instant::now() + LATENCIES);
    for number in 0..samples + WARM_UP {
        pause().await;
        let start = Instant::now();
        peer.enqueue_one(number).await?;
        let wait = started(runs, number).await.map_or(PATIENCE, |handler| handler - start);
        if number >= WARM_UP {
            waits.push(millis(wait));
        }
        if Instant::now() > deadline && !waits.is_empty() {
            break;
        }
    }
    Ok(json!({ "millis": waits }))
}

async fn started(runs: &Runs, number: u32) -> Option<Instant> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(start) = runs.started(number) {
            return Some(start);
        }
        sleep(Duration::from_millis(1)).await;
    }
    None
}

/// 5 to 30 ms, so that no rhythm of a worker's is met or missed each time.
async fn pause() {
    let micros = 5_000 + RandomState::new().hash_one(()) % 25_000;
    sleep(Duration::from_micros(micros)).await;
}
