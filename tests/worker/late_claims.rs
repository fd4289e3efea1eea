//! Limits while a claim is on its way.

use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Result, Timestamp, Worker};

use super::faults::{Fault, plan, wayward_by};

#[pgq::task(rps = 10.0, burst = 5)]
async fn trickle() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_was_full_gains_nothing_while_a_claim_is_on_its_way() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![trickle]).resources(());
    let mut worker = builder.lease(Duration::from_mins(1)).stepper().await?;
    trickle::enqueue(&client, ()).await?;
    assert_eq!(worker.step().await?, 1, "it has the bucket");
    clock.advance(Duration::from_millis(500));
    trickle::enqueue_many(&client, vec![(); 20]).await?;
    plan(&faults.claim, &[Fault::Late]);
    assert_eq!(worker.drain().await?, 5);
    Ok(())
}
