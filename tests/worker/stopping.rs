//! A worker that is asked to stop while its database gives no answer.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Client, Context, Result, State, Timestamp, Worker};
use tokio::sync::mpsc;

use super::faults::{Ear, Fault, plan, standing, tell, wayward, wayward_by};
use crate::log::Log;

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
    while !faults.claim.is_empty() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_beats_until_its_last_ends_are_written() -> Result<()> {
    let (client, faults) = wayward()?;
    let (told, mut runs) = mpsc::unbounded_channel();
    let id = tell::enqueue(&client, ()).await?.id();
    // Forty pauses of 50 ms at the end, and beats each 77 ms.
    plan(&faults.finish, &[Fault::Refused; 44]);
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![tell]).resources(Ear { told });
    let worker = builder.lease(Duration::from_secs(1)).spawn().await?;
    runs.recv().await.expect("it runs");
    let before = *faults.renewed.borrow();
    worker.stop().await?;
    let beats = *faults.renewed.borrow() - before;
    assert!(beats >= 13, "a lease's at least, got {beats}");
    assert_eq!(standing(&client, id).await?, (State::Completed, 1, 1));
    Ok(())
}

#[pgq::task]
async fn stay(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    ctx.told.send(())?;
    std::future::pending().await
}

#[tokio::test]
async fn a_worker_that_stops_says_so_and_what_it_handed_back() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let clock = ManualClock::at(Timestamp::EPOCH);
    let client = Client::builder()?.clock(clock.clone()).memory();
    let (told, mut runs) = mpsc::unbounded_channel();
    stay::enqueue_many(&client, [(); 7]).await?;
    let builder = Worker::builder().client(client).tasks(pgq::tasks![stay]).resources(Ear { told });
    let worker = builder.drain_timeout(Duration::from_mins(1)).lease(Duration::from_hours(1)).spawn().await?;
    for _ in 0..7 {
        runs.recv().await.expect("it runs");
    }
    let urge = worker.stopper();
    let stopped = tokio::spawn(worker.stop());
    while log.about("asked to stop: ").is_empty() {
        clock.advance(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    urge.insist();
    while !stopped.is_finished() {
        clock.advance(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    stopped.await.expect("it doesn't panic")?;
    for (words, said) in [
        ("asked to stop: ", "attempts=7 within=60s"),
        ("asked to stop at once", "attempts=7"),
        ("more jobs handed back", "jobs=2"),
        ("this worker has ended", "handed_back=7"),
    ] {
        let told = log.about(words);
        assert!(told.len() == 1 && told[0].starts_with("INFO") && told[0].contains(said), "{words}: {told:?}");
    }
    let named = log.about("=job handed back");
    assert!(named.len() == 5 && named[0].contains("job=1 task=\"stay\""), "{named:?}");
    Ok(())
}

static LET_GO: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Tells that it runs, and blocks its thread until the test lets go.
#[pgq::task(concurrency = 1, timeout = "5s", retry = fixed("1h"))]
fn clutch(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    ctx.told.send(())?;
    drop(LET_GO.1.wait_while(LET_GO.0.lock().expect("nobody panics"), |gone| !*gone).expect("nobody panics"));
    Ok(())
}

#[tokio::test]
async fn a_worker_that_stops_waits_for_no_thread_that_was_left_behind() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let client = Client::builder()?.clock(clock.clone()).memory();
    let (told, mut runs) = mpsc::unbounded_channel();
    let id = clutch::enqueue(&client, ()).await?.id();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![clutch]).resources(Ear { told });
    let worker = builder.drain_timeout(Duration::from_mins(1)).lease(Duration::from_hours(1)).spawn().await?;
    runs.recv().await.expect("it runs");
    for _ in 0..10 {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert_eq!(standing(&client, id).await?.0, State::Running, "its thread goes on, and counts");
    let stopped = tokio::spawn(worker.stop());
    while !stopped.is_finished() {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    stopped.await.expect("it doesn't panic")?;
    assert_eq!(standing(&client, id).await?.0, State::Retryable, "what is known is written");
    *LET_GO.0.lock().expect("nobody panics") = true;
    LET_GO.1.notify_all();
    Ok(())
}
