//! The tasks that the worker runs here, and the jobs for them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use pgq::{AnyJob, BoxError, Client, Context, JobBuilder, Resources, Task, Timestamp};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::payload::{self, key};

/// How many jobs an enqueue in bulk takes at once.
pub(crate) const BATCH: u32 = 1_000;

/// Does nothing, and is forgotten.
#[pgq::task(keep = none)]
pub(crate) async fn noop(ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    ctx.count();
    Ok(())
}

/// Does nothing, and is kept in history.
#[pgq::task]
pub(crate) async fn noop_kept(ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    ctx.count();
    Ok(())
}

/// Does nothing, within limits that are far away.
#[pgq::task(keep = none, concurrency = 1_000_000, rps = 1_000_000)]
pub(crate) async fn noop_limited(ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    ctx.count();
    Ok(())
}

/// Does nothing, within limits for each value of the key.
#[pgq::task(keep = none, limit(concurrency = 1_000, key = key))]
pub(crate) async fn noop_keyed(ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    ctx.count();
    Ok(())
}

/// One at a time over the fleet, and the first one stays.
#[pgq::task(keep = none, concurrency = 1)]
pub(crate) async fn hog(_ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    std::future::pending().await
}

/// One at a time of each value over the fleet, and the first one stays.
#[pgq::task(keep = none, limit(concurrency = 1, key = key))]
pub(crate) async fn hog_keyed(_ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    std::future::pending().await
}

/// Says that it has begun, and stays.
#[pgq::task(keep = none)]
pub(crate) async fn hold(ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    ctx.count();
    std::future::pending().await
}

/// One a second over the fleet.
#[pgq::task(keep = none, rps = 1)]
pub(crate) async fn drip(_ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    Ok(())
}

/// Five a second of the one value that there is.
#[pgq::task(keep = none, limit(rps = 5, key = any))]
pub(crate) async fn drip_keyed(_ctx: Context<Meter>, _payload: String) -> Result<(), BoxError> {
    Ok(())
}

fn any(_payload: &str) -> &'static str {
    "any"
}

/// One at a time over the fleet; tells when it started.
#[pgq::task(keep = none, concurrency = 1)]
pub(crate) async fn baton(ctx: Context<Starts>, _payload: String) -> Result<(), BoxError> {
    let _ = ctx.0.send(Instant::now());
    Ok(())
}

/// Tells when it started.
#[pgq::task(keep = none)]
pub(crate) async fn ping(ctx: Context<Starts>, _payload: String) -> Result<(), BoxError> {
    // Nobody listens any more once the round is over.
    let _ = ctx.0.send(Instant::now());
    Ok(())
}

/// Tells how late it started.
#[pgq::schedule("* * * * * *", keep = none)]
pub(crate) async fn second(ctx: Context<Lateness>) -> Result<(), BoxError> {
    let tick = ctx.tick().ok_or("a tick made this job")?;
    let _ = ctx.0.send(Timestamp::from(SystemTime::now()).since(tick.at));
    Ok(())
}

/// Tells how long after it was enqueued it started: its argument begins with when that was.
#[pgq::task(keep = none)]
pub(crate) async fn dated(ctx: Context<Lateness>, payload: String) -> Result<(), BoxError> {
    let _ = ctx.0.send(payload::age(&payload)?);
    Ok(())
}

/// What the tasks touch.
#[derive(pgq::Provide)]
pub(crate) struct App {
    pub(crate) meter: Meter,
    pub(crate) starts: Starts,
    pub(crate) lateness: Lateness,
}

impl App {
    /// For a measurement that looks at one of these; the others tell nobody.
    pub(crate) fn silent() -> Self {
        let (starts, lateness) = (Starts(unbounded_channel().0), Lateness(unbounded_channel().0));
        Self { meter: Meter::new(0), starts, lateness }
    }
}

impl Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Err(pgq::Error::init("the bench hands its resources over ready-made"))
    }
}

/// Where [`ping`] says when it started.
pub(crate) struct Starts(pub(crate) UnboundedSender<Instant>);

/// Where [`second`] and [`dated`] say how late they started.
pub(crate) struct Lateness(pub(crate) UnboundedSender<Duration>);

/// Counts jobs that ran, and says when all have.
#[derive(Clone)]
pub(crate) struct Meter(Arc<(AtomicU32, Notify)>);

impl Meter {
    /// Of `total` jobs.
    pub(crate) fn new(total: u32) -> Self {
        Self(Arc::new((AtomicU32::new(total), Notify::new())))
    }

    /// One has run.
    pub(crate) fn count(&self) {
        if self.0.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.1.notify_one();
        }
    }

    /// Waits for the last one.
    pub(crate) async fn all(&self) {
        self.0.1.notified().await;
    }
}

/// The numbers of so many jobs, in batches of [`BATCH`] and what is left.
pub(crate) fn batches(jobs: u32) -> impl Iterator<Item = Range<u32>> {
    (0..jobs).step_by(BATCH as usize).map(move |first| first..jobs.min(first.saturating_add(BATCH)))
}

/// The job of this number.
pub(crate) fn job<T: Task<Args = String>>(number: u32, bytes: usize) -> JobBuilder<T> {
    JobBuilder::new(payload::text(number, bytes))
}

/// Enqueues `count` jobs of a task in large batches, without measuring it; the last id.
pub(crate) async fn fill<T: Task<Args = String>>(client: &Client, count: u32) -> Result<i64> {
    fill_with(client, count, |number| job::<T>(number, payload::BYTES).into()).await
}

/// The same of such jobs.
pub(crate) async fn fill_with(client: &Client, count: u32, job: impl Fn(u32) -> AnyJob) -> Result<i64> {
    const LARGE: u32 = 5_000;
    let (mut done, mut last) = (0, None);
    while done < count {
        let next = count.min(done + LARGE);
        let jobs = (done..next).map(&job);
        last = pgq::enqueue_many(client, jobs).await?.last().map(|handle| handle.id().0);
        done = next;
    }
    last.context("expected at least one job to fill in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_exactly_as_many_jobs_as_are_asked_for() {
        for jobs in [1, 999, 1_000, 1_001, 200_000] {
            assert_eq!(batches(jobs).map(|batch| batch.len()).sum::<usize>(), jobs as usize);
        }
        assert_eq!(batches(1_500).collect::<Vec<_>>(), [0..1_000, 1_000..1_500]);
    }
}
