//! Ends that can't be written, by a clock that only the test moves.

use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Client, Handle, Result, State, Timestamp, Worker};
use tokio::sync::mpsc;

use super::faults::{Ear, Fault, greet, plan, tell, wayward_by};

const HOUR: Duration = Duration::from_hours(1);
/// After so long what was refused is tried again.
const ASIDE: Duration = Duration::from_secs(30);

/// Lets so much time pass, in steps, between which whoever waits for it goes on.
async fn pass(clock: &ManualClock, span: Duration) {
    for _ in 0..span.as_millis() / 20 {
        clock.advance(Duration::from_millis(20));
        tokio::task::yield_now().await;
    }
}

async fn completed(client: &Client) -> Result<u64> {
    Ok(client.jobs().state(State::Completed).count().await?.jobs)
}

#[tokio::test]
async fn ends_that_were_not_tried_as_too_many_before_them_were_refused_come_first_the_next_time() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    let put = greet::enqueue_many(&client, [(); 250]).await?;
    // More than are tried before it is given up.
    faults.accursed.lock().unwrap().extend(put[..120].iter().map(Handle::id));
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![greet]);
    let worker = builder.slots(300).lease(HOUR).spawn().await?;
    // All of them have ended before any end is written.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    pass(&clock, ASIDE / 2).await;
    assert_eq!(completed(&client).await?, 0, "it isn't single ones that are refused");
    pass(&clock, ASIDE).await;
    assert_eq!(completed(&client).await?, 130);
    faults.accursed.lock().unwrap().clear();
    worker.stop().await?;
    assert_eq!(completed(&client).await?, 250);
    Ok(())
}

#[tokio::test]
async fn a_worker_whose_ends_can_not_be_written_claims_no_more_than_a_bound_until_they_are() -> Result<()> {
    let (slots, bound) = (100, 2_000);
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    plan(&faults.finish, &vec![Fault::Refused; 1_000]);
    tell::enqueue_many(&client, [(); 5_000]).await?;
    let (told, runs) = mpsc::unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![tell]).resources(Ear { told });
    let worker = builder.slots(slots).lease(HOUR).spawn().await?;
    pass(&clock, Duration::from_mins(1)).await;
    assert!((bound..bound + slots).contains(&runs.len()), "{} have run", runs.len());
    assert_eq!(completed(&client).await?, 0);
    faults.finish.clear();
    pass(&clock, Duration::from_mins(1)).await;
    assert_eq!((runs.len(), completed(&client).await?), (5_000, 5_000));
    worker.stop().await
}
