//! A worker that is asked to stop while its database gives no answer.

use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Context, Result, Timestamp, Worker};
use tokio::sync::mpsc;

use super::faults::{Ear, Fault, plan, wayward_by};

/// Tells that it runs, and that it was told to end.
#[pgq::task]
async fn linger(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    ctx.told.send(())?;
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

#[tokio::test]
async fn the_drain_period_counts_once_where_a_claim_gets_no_answer() -> Result<()> {
    let (drain, clock) = (Duration::from_mins(10), ManualClock::at(Timestamp::EPOCH));
    let (client, faults) = wayward_by(&clock)?;
    let (told, mut runs) = mpsc::unbounded_channel();
    linger::enqueue(&client, ()).await?;
    let builder = Worker::builder().client(client).tasks(pgq::tasks![linger]).resources(Ear { told });
    let worker = builder.drain_timeout(drain).lease(Duration::from_hours(1)).spawn().await?;
    runs.recv().await.expect("it runs");
    plan(&faults.claim, &[Fault::Silence]);
    while !faults.claim.lock().unwrap().is_empty() {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let asked = clock.now();
    let stopped = tokio::spawn(worker.stop());
    while runs.try_recv().is_err() {
        clock.advance(Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    let lasted = clock.now().since(asked);
    assert!((drain..drain * 3 / 2).contains(&lasted), "{lasted:?}");
    stopped.await.expect("it doesn't panic")
}
