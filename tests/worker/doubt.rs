//! A worker whose signs of life aren't accepted, while nobody tells it that it was declared gone.

use std::time::Duration;

use pgq::testing::{ManualClock, Stepper, stepper};
use pgq::{Allow, Context, LimitRef, Result, State, Timestamp, Worker};
use tokio::sync::mpsc;

use super::faults::{Ear, Fault, greet, plan, standing, wayward, wayward_by};
use crate::log::Log;

/// Four fifths of the lease that a worker has by default.
const TENURE: Duration = Duration::from_secs(12);
const MOMENT: Duration = Duration::from_micros(1);

/// Waits to be told to end, without asking for its fence.
#[pgq::task]
async fn unfenced(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

#[pgq::task]
async fn fenced(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    let _ = ctx.fence();
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

/// The same, and tells that it runs.
#[pgq::task]
async fn watched(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    let _ = ctx.fence();
    ctx.told.send(())?;
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

#[pgq::task]
async fn transactional(ctx: Context<Ear>, _tx: &pgq::Tx) -> Result<(), pgq::BoxError> {
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

#[pgq::task(concurrency = 5)]
async fn counted(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

#[pgq::task(retry = fixed("1h"))]
async fn heedless(ctx: Context) -> Result<(), pgq::BoxError> {
    let _ = ctx.fence();
    std::future::pending().await
}

#[pgq::task]
async fn brief(ctx: Context) -> Result<(), pgq::BoxError> {
    let _ = ctx.fence();
    Ok(())
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::EPOCH)
}

async fn beat_in_vain(worker: &mut Stepper) {
    assert!(worker.beat().await.is_err());
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn nothing_starts_while_the_lease_is_in_doubt() -> Result<()> {
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let mut worker = stepper::<()>(&client, pgq::tasks![greet], ()).await?;
    worker.beat().await?;
    let id = greet::enqueue(&client, ()).await?.id();
    clock.advance(TENURE);
    plan(&faults.renew, &[Fault::Refused]);
    beat_in_vain(&mut worker).await;
    assert_eq!(worker.step().await?, 0);
    assert_eq!(standing(&client, id).await?, (State::Available, 0, 0), "it isn't claimed either");
    worker.beat().await?;
    assert_eq!(worker.step().await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_a_claim_wins_too_late_is_handed_back_and_not_started() -> Result<()> {
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let mut worker = stepper::<()>(&client, pgq::tasks![greet], ()).await?;
    let id = greet::enqueue(&client, ()).await?.id();
    plan(&faults.claim, &[Fault::Late]);
    assert_eq!(worker.start().await?, 0);
    assert_eq!(standing(&client, id).await?, (State::Running, 1, 1), "nobody runs it");
    worker.beat().await?;
    assert_eq!(worker.step().await?, 1);
    assert_eq!(standing(&client, id).await?, (State::Completed, 1, 2));
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_must_be_alone_is_told_to_end_before_the_lease_is_over() -> Result<()> {
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let (told, mut ends) = mpsc::unbounded_channel();
    let tasks = pgq::tasks![fenced, transactional, counted];
    let mut worker = stepper(&client, tasks, Ear { told }).await?;
    let fenced = fenced::enqueue(&client, ()).await?.id();
    transactional::enqueue(&client, ()).await?;
    counted::enqueue(&client, ()).await?;
    // The share of a limit is asked for where a claim has found that it is missing.
    assert_eq!(worker.start().await? + worker.start().await?, 3);
    clock.advance(TENURE - MOMENT);
    plan(&faults.renew, &[Fault::Refused, Fault::Refused]);
    beat_in_vain(&mut worker).await;
    assert!(ends.try_recv().is_err(), "there is time left");
    clock.advance(MOMENT);
    beat_in_vain(&mut worker).await;
    worker.settle().await?;
    assert_eq!(ends.len(), 3);
    assert_eq!(standing(&client, fenced).await?, (State::Completed, 1, 1), "nobody had declared it gone");
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_needs_no_fence_goes_on_while_nobody_declares_its_worker_gone() -> Result<()> {
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let (told, mut ends) = mpsc::unbounded_channel();
    let mut worker = stepper(&client, pgq::tasks![unfenced], Ear { told }).await?;
    let id = unfenced::enqueue(&client, ()).await?.id();
    worker.start().await?;
    clock.advance(TENURE * 10);
    plan(&faults.renew, &[Fault::Refused]);
    beat_in_vain(&mut worker).await;
    worker.beat().await?;
    assert!(ends.try_recv().is_err(), "nobody told it to end");
    client.cancel(id, "enough").await?;
    worker.beat().await?;
    worker.settle().await?;
    assert!(ends.try_recv().is_ok());
    Ok(())
}

#[tokio::test]
async fn an_attempt_of_a_task_that_was_given_a_limit_is_told_too() -> Result<()> {
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let (told, mut ends) = mpsc::unbounded_channel();
    let mut worker = stepper(&client, pgq::tasks![unfenced], Ear { told }).await?;
    client.set_limit(LimitRef::of::<unfenced>(), Allow::at_once(5)).await?;
    unfenced::enqueue(&client, ()).await?;
    assert_eq!(worker.start().await?, 1);
    clock.advance(TENURE);
    plan(&faults.renew, &[Fault::Refused]);
    beat_in_vain(&mut worker).await;
    worker.settle().await?;
    assert!(ends.try_recv().is_ok());
    Ok(())
}

#[tokio::test]
async fn an_attempt_whose_task_was_given_a_limit_while_it_ran_is_told_too() -> Result<()> {
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let (told, mut ends) = mpsc::unbounded_channel();
    let mut worker = stepper(&client, pgq::tasks![unfenced], Ear { told }).await?;
    unfenced::enqueue(&client, ()).await?;
    assert_eq!(worker.start().await?, 1);
    client.set_limit(LimitRef::of::<unfenced>(), Allow::at_once(1)).await?;
    worker.share().await?;
    clock.advance(TENURE);
    plan(&faults.renew, &[Fault::Refused]);
    beat_in_vain(&mut worker).await;
    worker.settle().await?;
    assert!(ends.try_recv().is_ok());
    Ok(())
}

#[pgq::task(limit(rps = 1, burst = 9, key = "who"))]
async fn paced_by_key(ctx: Context<Ear>, who: String, number: u32) -> Result<(), pgq::BoxError> {
    let _ = (who, number);
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

#[tokio::test]
async fn attempts_behind_a_gate_that_was_given_a_bound_are_told_too() -> Result<()> {
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let (told, ends) = mpsc::unbounded_channel();
    let mut worker = stepper(&client, pgq::tasks![paced_by_key], Ear { told }).await?;
    let args = |number| PacedByKeyArgs { who: "kim".to_owned(), number };
    paced_by_key::enqueue(&client, args(1)).await?;
    assert_eq!(worker.start().await?, 1);
    client.set_limit(LimitRef::of::<paced_by_key>().key("who").value("kim"), Allow::at_once(5)).await?;
    worker.share().await?;
    paced_by_key::enqueue(&client, args(2)).await?;
    assert_eq!(worker.start().await?, 1);
    clock.advance(TENURE);
    plan(&faults.renew, &[Fault::Refused]);
    beat_in_vain(&mut worker).await;
    tokio::task::yield_now().await;
    assert_eq!(ends.len(), 2, "the first one counts too");
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_has_ended_is_not_told_to() -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let mut worker = stepper::<()>(&client, pgq::tasks![brief, heedless], ()).await?;
    brief::enqueue(&client, ()).await?;
    plan(&faults.finish, &[Fault::Refused]);
    assert!(worker.step().await.is_err(), "its end waits to be written");
    heedless::enqueue(&client, ()).await?;
    assert_eq!(worker.start().await?, 1);
    clock.advance(TENURE);
    plan(&faults.renew, &[Fault::Refused]);
    beat_in_vain(&mut worker).await;
    let told = log.about("told to end");
    assert!(told.len() == 1 && told[0].ends_with("attempts=1"), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_is_ended_for_a_doubt_is_handed_back() -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let clock = clock();
    let (client, faults) = wayward_by(&clock)?;
    let mut worker = stepper::<()>(&client, pgq::tasks![heedless], ()).await?;
    let id = heedless::enqueue(&client, ()).await?.id();
    worker.start().await?;
    clock.advance(TENURE);
    plan(&faults.renew, &[Fault::Refused]);
    beat_in_vain(&mut worker).await;
    tokio::select! {
        settled = worker.settle() => settled?,
        () = async { loop { tokio::task::yield_now().await; clock.advance(Duration::from_millis(100)); } } => {}
    }
    let job = client.get(id).await?.expect("the job is kept");
    assert_eq!((job.state, job.attempt), (State::Available, 0), "nobody is to blame");
    assert_eq!(log.about("is handed back unless the lease turns out to be lost").len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_keeps_watch_over_its_lease_by_itself() -> Result<()> {
    let (client, faults) = wayward()?;
    let (told, mut says) = mpsc::unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![watched]).resources(Ear { told });
    let worker = builder.lease(Duration::from_secs(1)).spawn().await?;
    watched::enqueue(&client, ()).await?;
    tokio::time::timeout(Duration::from_secs(20), says.recv()).await.expect("it starts");
    plan(&faults.renew, &vec![Fault::Refused; 1_000]);
    tokio::time::timeout(Duration::from_secs(20), says.recv()).await.expect("it is told to end");
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_gone_tells_its_attempts_at_once_while_a_claim_gets_no_answer() -> Result<()> {
    let (client, faults) = wayward()?;
    let (told, mut says) = mpsc::unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![watched]).resources(Ear { told });
    let worker = builder.spawn().await?;
    watched::enqueue(&client, ()).await?;
    says.recv().await;
    plan(&faults.claim, &[Fault::Silence]);
    watched::enqueue(&client, ()).await?;
    faults.claim.taken().await;
    plan(&faults.renew, &[Fault::Gone]);
    // Much sooner than the worker would doubt its lease by itself, or give up the claim.
    tokio::time::timeout(Duration::from_secs(8), says.recv()).await.expect("it is told to end");
    worker.stopper().insist();
    worker.stop().await
}
