//! What a worker tells of its next token of a rate.

use std::sync::atomic::Ordering;

use pgq::testing::{ManualClock, Stepper, stepper};
use pgq::{Client, JobId, Result, Timestamp, WaitsFor};

use super::faults::{Fault, Faults, plan, wayward_by};
use crate::world::SECOND;

#[pgq::task(rps = 1, per = "1m")]
async fn beacon() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(rps = 1)]
async fn lamp() -> Result<(), pgq::BoxError> {
    Ok(())
}

/// When a rate lets a job start, in seconds.
async fn next(client: &Client, id: JobId) -> Result<u64> {
    let Some(WaitsFor::Limit(limit)) = client.waits_for(id).await? else { panic!("it waits for a rate") };
    Ok(limit.next.expect("it is known").since(Timestamp::EPOCH).as_secs())
}

/// How often a worker asks the backend for something that has nothing to start.
async fn asks(worker: &mut Stepper, faults: &Faults) -> Result<usize> {
    let before = faults.asked.load(Ordering::SeqCst);
    worker.share().await?;
    Ok(faults.asked.load(Ordering::SeqCst) - before)
}

#[tokio::test]
async fn the_next_token_of_a_slow_rate_is_told_until_it_is_heard_and_no_more() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    let mut worker = stepper(&client, pgq::tasks![beacon], ()).await?;
    let jobs = beacon::enqueue_many(&client, [(), ()]).await?;
    assert_eq!(worker.start().await?, 1);
    plan(&faults.foretell, &[Fault::Refused]);
    worker.share().await.unwrap_err();
    clock.advance(SECOND * 5);
    assert_eq!(next(&client, jobs[1].id()).await?, 65, "at the latest");
    assert_eq!(asks(&mut worker, &faults).await?, 2, "it looks, and tells");
    assert_eq!(next(&client, jobs[1].id()).await?, 60);
    for _ in 0..5 {
        clock.advance(SECOND * 5);
        assert_eq!(asks(&mut worker, &faults).await?, 1, "it looks");
    }
    Ok(())
}

#[tokio::test]
async fn the_next_token_of_a_fast_rate_is_not_told() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    let mut worker = stepper(&client, pgq::tasks![lamp], ()).await?;
    lamp::enqueue_many(&client, [(), ()]).await?;
    assert_eq!(worker.start().await?, 1);
    assert_eq!(asks(&mut worker, &faults).await?, 1, "it looks");
    Ok(())
}
