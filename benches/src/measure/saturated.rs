//! How many statements a fleet sends while all that there is to do is held up by a limit.

use std::time::Duration;

use anyhow::Result;
use pgq::{Client, Task, Worker};
use tokio::time::sleep;

use crate::bench::Bench;
use crate::counts::Cost;
use crate::database::client;
use crate::figures::{Section, section};
use crate::load::{self, App};

pub(super) const ABOUT: &str =
    "statements that a worker sends in a second while limits hold up all that there is, beside those of an idle one";

pub(super) const WORKERS: u32 = 10;
/// Jobs that wait.
const BACKLOG: u32 = 1_000;
/// In which what is done once a minute is done.
pub(super) const SPAN: Duration = Duration::from_mins(1);
/// Until all have found out that there is nothing for them.
const SETTLES: Duration = Duration::from_secs(3);

/// All statements of a worker in a second, each `begin` among them: where there is no job at all, and where there are many that a
/// limit holds up. What the second has beyond the first is the limit's.
pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    if bench.uncounted.is_some() {
        eprintln!("  skipped, as there is nothing in it but statements");
        return Ok(vec![section("saturated", "skipped: statements aren't counted", [])]);
    }
    // Two at a time: each is counted in its own database, and more have too many connections for a server as it is installed.
    let (idle, concurrency) =
        tokio::try_join!(idle_statements(bench), statements::<load::hog>(bench, BACKLOG))?;
    let (rate, with_key) =
        tokio::try_join!(statements::<load::drip>(bench, BACKLOG), statements::<load::hog_keyed>(bench, BACKLOG))?;
    // Five starts a second, each of which somebody has to see to.
    let keyed_rate = statements::<load::drip_keyed>(bench, BACKLOG).await?;
    let sizes = format!("{WORKERS} workers, {BACKLOG} jobs held up but for idle, {} s; once", SPAN.as_secs());
    let figures = [
        ("idle", idle),
        ("concurrency", concurrency),
        ("rate", rate),
        ("with_key", with_key),
        ("keyed_rate", keyed_rate),
    ];
    Ok(vec![section("saturated", sizes, figures)])
}

/// Statements of an idle worker in a second; not a number where they aren't counted.
pub(super) async fn idle_statements(bench: &Bench<'_>) -> Result<f64> {
    if bench.uncounted.is_some() {
        return Ok(f64::NAN);
    }
    statements::<load::noop>(bench, 0).await
}

async fn statements<T: Task<Args = String>>(bench: &Bench<'_>, backlog: u32) -> Result<f64> {
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(2).await?;
    let client = client(&pool)?;
    if backlog > 0 {
        load::fill::<T>(&client, backlog).await?;
    }
    let mut fleet = Vec::new();
    for _ in 0..WORKERS {
        fleet.push(worker::<T>(client.clone()).await?);
    }
    sleep(SETTLES).await;
    let before = Cost::read(&pool).await?;
    sleep(SPAN).await;
    let after = Cost::read(&pool).await?;
    for worker in fleet {
        worker.stop().await?;
    }
    pool.close().await;
    fresh.drop().await?;
    let seconds = f64::from(WORKERS) * SPAN.as_secs_f64();
    Ok(before.zip(after).map_or(f64::NAN, |(before, after)| after.since(&before, seconds).statements))
}

async fn worker<T: Task<Args = String>>(client: Client) -> Result<Worker<App>> {
    let builder = Worker::builder().client(client).only([T::NAME]).tasks_only().slots(10).drain_timeout(Duration::ZERO);
    Ok(builder.resources(App::silent()).spawn().await?)
}
