//! Limits while a claim, or what is said of them, is on its way.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use pgq::testing::{ManualClock, Stepper, stepper};
use pgq::{Allow, BoxError, Context, LimitRef, Result, Timestamp, Worker};
use tokio::sync::Notify;

use super::faults::{Fault, Faults, plan, wayward_by, wayward_over};
use crate::conformance::limits::Door;
use crate::world::{World, start};

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

/// Goes on until its answer is held.
async fn held<T>(call: &mut Pin<&mut impl Future<Output = T>>, held: &Notify) {
    tokio::select! {
        biased;
        _ = call => panic!("the answer is held"),
        () = held.notified() => {}
    }
}

/// A worker that has the whole bucket, and more jobs than tokens.
async fn trickling(clock: &ManualClock) -> Result<(Stepper, pgq::Client, Arc<Faults>)> {
    let (client, faults) = wayward_by(clock)?;
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![trickle]).resources(());
    let mut worker = builder.lease(Duration::from_mins(1)).stepper().await?;
    trickle::enqueue(&client, ()).await?;
    assert_eq!(worker.step().await?, 1, "it has the bucket");
    clock.advance(Duration::from_millis(500));
    trickle::enqueue_many(&client, vec![(); 20]).await?;
    Ok((worker, client, faults))
}

fn one_each_tenth() -> Allow {
    Allow::everything().starts(10.0, Duration::from_secs(1)).burst(1)
}

#[tokio::test]
async fn what_a_claim_wins_is_handed_back_where_a_rate_was_lowered_meanwhile() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (mut worker, client, faults) = trickling(&clock).await?;
    plan(&faults.claim, &[Fault::Delayed]);
    let mut hand = worker.beside();
    let mut claim = pin!(hand.claim());
    held(&mut claim, &faults.held).await;
    client.set_limit(LimitRef::of::<trickle>(), one_each_tenth()).await?;
    worker.share().await?;
    faults.heard.notify_one();
    assert!(claim.await? + worker.drain().await? <= 1);
    clock.advance(Duration::from_millis(200));
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_a_claim_wins_is_handed_back_where_a_rate_was_seen_lowered_meanwhile() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (mut worker, client, faults) = trickling(&clock).await?;
    plan(&faults.claim, &[Fault::Delayed]);
    plan(&faults.share, &[Fault::Refused]);
    let mut hand = worker.beside();
    let mut claim = pin!(hand.claim());
    held(&mut claim, &faults.held).await;
    client.set_limit(LimitRef::of::<trickle>(), one_each_tenth()).await?;
    assert!(worker.share().await.is_err(), "it has looked, and hasn't been told what is left to it");
    faults.heard.notify_one();
    assert!(claim.await? + worker.drain().await? <= 1);
    Ok(())
}

#[pgq::task(concurrency = 4)]
async fn gondola(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[tokio::test]
async fn an_answer_that_is_older_than_a_look_lets_nothing_start_that_the_look_forbids() -> Result<()> {
    let (world, door, faults) = (World::memory(), Door::new(), Arc::new(Faults::default()));
    let none = Arc::new(Faults::default());
    let client = wayward_over(&world.client, &world.clock, &none)?;
    *none.of_next.lock().unwrap() = Some(Arc::clone(&faults));
    let mut worker = stepper(&client, pgq::tasks![gondola], door.clone()).await?;
    let mut other = stepper(&client, pgq::tasks![gondola], door.clone()).await?;
    worker.share().await?;
    gondola::enqueue(&client, 0).await?;
    assert_eq!(start(&mut other).await?, 1);
    world.clock.advance(Duration::from_secs(1));
    other.share().await?;
    gondola::enqueue_many(&client, 1..9).await?;
    assert_eq!(worker.claim().await?, 0, "it hasn't asked for what the other one doesn't use");
    plan(&faults.share, &[Fault::Held]);
    let mut hand = worker.beside();
    let mut share = pin!(hand.share());
    held(&mut share, &faults.share_held).await;
    client.set_limit(LimitRef::of::<gondola>(), Allow::at_once(1)).await?;
    other.share().await?;
    let mut looked = faults.looked.subscribe();
    worker.call();
    tokio::select! {
        biased;
        _ = &mut share => panic!("the answer is held"),
        looked = looked.changed() => looked.expect("it looks"),
    }
    faults.share_heard.notify_one();
    share.await?;
    assert_eq!((worker.claim().await?, door.inside()), (0, 1));
    door.open(9);
    other.settle().await?;
    let mut ran = 0;
    for _ in 0..40 {
        ran += worker.drain().await? + other.drain().await?;
        world.clock.advance(Duration::from_millis(25));
    }
    assert_eq!(ran, 8);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_older_than_a_look_starts_nothing_at_the_rate_of_before() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![trickle]).resources(());
    let mut worker = builder.lease(Duration::from_mins(1)).stepper().await?;
    worker.share().await?;
    trickle::enqueue_many(&client, vec![(); 20]).await?;
    assert_eq!(worker.claim().await?, 0, "it has nothing of the bucket yet");
    plan(&faults.share, &[Fault::Held]);
    let mut hand = worker.beside();
    let mut share = pin!(hand.share());
    held(&mut share, &faults.share_held).await;
    client.set_limit(LimitRef::of::<trickle>(), one_each_tenth()).await?;
    let mut looked = faults.looked.subscribe();
    worker.call();
    tokio::select! {
        biased;
        _ = &mut share => panic!("the answer is held"),
        looked = looked.changed() => looked.expect("it looks"),
    }
    faults.share_heard.notify_one();
    share.await?;
    assert_eq!(worker.claim().await?, 0, "how much is left to it hasn't been said");
    assert!(worker.drain().await? <= 1);
    clock.advance(Duration::from_millis(200));
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}
