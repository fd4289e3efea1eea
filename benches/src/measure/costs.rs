//! What users feel beside speed: connections, statements of an idle worker, memory.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgq::{Client, Task, Worker};
use sqlx::PgPool;
use tokio::time::sleep;

use super::saturated::{SPAN, WORKERS, idle_statements};
use crate::bench::Bench;
use crate::database::client;
use crate::figures::{Section, section};
use crate::load::{self, App, Meter, hold};
use crate::machine;

pub(super) const ABOUT: &str = "a worker's connections, what it asks while idle, and the memory of 100,000 attempts that wait";

/// For so long is looked at its connections, which is some of its beats.
const LOOKS_FOR: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);
/// Attempts that run at once, and do nothing but wait.
const WAITING: u32 = 100_000;

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let statements = idle_statements(bench).await?;
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(2).await?;
    let client = client(&pool)?;
    let meter = Meter::new(WAITING);
    let worker = worker(client.clone(), &meter).await?;
    load::fill::<hold>(&client, 1).await?;
    let connections = most_connections(&pool).await?;
    let before = machine::resident_memory();
    load::fill::<hold>(&client, WAITING - 1).await?;
    meter.all().await;
    let after = machine::resident_memory();
    ensure!(connections > 0, "expected to see the worker's connections, got none");
    worker.stop().await?;
    pool.close().await;
    fresh.drop().await?;
    #[expect(clippy::cast_precision_loss, reason = "a count of connections")]
    let figures = [
        ("connections_per_worker", connections as f64),
        ("idle_statements_per_s", statements),
        ("mb_per_100000_attempts", (after - before) / 1e6),
    ];
    let sizes = format!("statements of {WORKERS} workers over {} s, 1 worker for all else; once", SPAN.as_secs());
    Ok(vec![section("costs", sizes, figures)])
}

async fn worker(client: Client, meter: &Meter) -> Result<Worker<App>> {
    let app = App { meter: meter.clone(), ..App::silent() };
    let builder = Worker::builder().client(client).only([hold::NAME]).tasks_only().slots(WAITING as usize);
    Ok(builder.drain_timeout(Duration::ZERO).resources(app).spawn().await?)
}

/// It opens some as it needs them, so the most are told that it has in a while that is long enough for all that it does.
async fn most_connections(pool: &PgPool) -> Result<i64> {
    let (start, mut most) = (Instant::now(), 0);
    while start.elapsed() < LOOKS_FOR {
        most = most.max(connections(pool).await?);
        sleep(LOOK).await;
    }
    Ok(most)
}

async fn connections(pool: &PgPool) -> Result<i64> {
    let query = "select count(*) from pg_stat_activity
                 where datname = current_database() and application_name like 'pgq worker%'";
    Ok(sqlx::query_scalar(query).fetch_one(pool).await?)
}
