//! How fast several worker processes empty one queue.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pgq::{Client, Pausable, Task, Worker};
use sqlx::{ConnectOptions, PgPool};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::bench::Bench;
use crate::database::client;
use crate::figures::{Section, median, per_second, section};
use crate::load::{self, App, noop};

pub(super) const ABOUT: &str = "1 to 64 worker processes empty one queue";

/// What a worker process is told: where the queue is, and its slots.
pub(crate) const URL: &str = "PGQ_BENCH_WORKER_URL";
const SLOTS: &str = "PGQ_BENCH_WORKER_SLOTS";

const FLEETS: [u32; 6] = [1, 2, 4, 8, 16, 64];
const NAMES: [&str; 6] = ["per_s_1", "per_s_2", "per_s_4", "per_s_8", "per_s_16", "per_s_64"];
/// A worker's three, and its client's pool.
const CONNECTIONS: u32 = 3 + POOL;
const POOL: u32 = 2;
/// Those that look on, and those that the server keeps for its owner.
const OTHERS: u32 = 10;
const LOOK: Duration = Duration::from_millis(2);

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let most: u32 = bench.server.setting("max_connections").await?.parse()?;
    let fits = |workers: &u32| workers * CONNECTIONS + OTHERS <= most;
    let fleets: Vec<u32> = FLEETS.into_iter().filter(fits).collect();
    if let Some(out) = FLEETS.get(fleets.len()) {
        eprintln!("  the server allows {most} connections: fleets of {out} workers and more are left out");
    }
    let labels: Vec<String> = fleets.iter().map(ToString::to_string).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let measure = async |which: usize| drain(bench, fleets[which]).await;
    let mut found = vec![Vec::new(); fleets.len()];
    bench.take_turns(&labels, &mut found, measure, |rate| *rate).await?;
    let sizes = bench.sizes_of(&format!("{} jobs, workers of {} slots", bench.jobs, bench.slots));
    Ok(vec![section("workers", sizes, NAMES.into_iter().zip(found.iter().map(|rates| median(rates))))])
}

async fn drain(bench: &Bench<'_>, workers: u32) -> Result<f64> {
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(2).await?;
    let client = client(&pool)?;
    let last = load::fill::<noop>(&client, bench.jobs).await?;
    let held = || Pausable::Task(noop::NAME.to_owned());
    client.pause(held(), "until all are there", None).await?;
    let url = fresh.options().to_url_lossy().to_string();
    let fleet: Vec<Child> = (0..workers).map(|_| start(&url, bench.slots)).collect::<Result<_>>()?;
    until(&pool, "select count(*) from pgq.worker where gone is null and id <> $1", 0, i64::from(workers)).await?;
    let start = Instant::now();
    client.resume(held()).await?;
    // The end of the queue first: to look at all of it again and again would cost more than the drain.
    until(&pool, "select count(*) from pgq.job where id > $1", last - 1_000, 0).await?;
    until(&pool, "select count(*) from pgq.job where id > $1", 0, 0).await?;
    let rate = per_second(bench.jobs, start.elapsed());
    for mut worker in fleet {
        // It ends with its input.
        drop(worker.stdin.take());
        worker.wait().await?;
    }
    pool.close().await;
    fresh.drop().await?;
    Ok(rate)
}

fn start(url: &str, slots: usize) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(URL, url).env(SLOTS, slots.to_string()).stdin(Stdio::piped()).kill_on_drop(true);
    command.spawn().context("a worker process can't start")
}

async fn until(pool: &PgPool, query: &'static str, id: i64, count: i64) -> Result<()> {
    while sqlx::query_scalar::<_, i64>(query).bind(id).fetch_one(pool).await? != count {
        sleep(LOOK).await;
    }
    Ok(())
}

/// The worker process: runs until its input ends.
pub(crate) async fn work(url: &str) -> Result<()> {
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(POOL).connect(url).await?;
    let slots = std::env::var(SLOTS).ok().and_then(|slots| slots.parse().ok()).unwrap_or(1_000);
    let client: Client = client(&pool)?;
    let builder = Worker::builder().client(client).only([noop::NAME]).tasks_only().slots(slots);
    let worker = builder.resources(App::silent()).spawn().await?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    worker.stop().await?;
    Ok(())
}
