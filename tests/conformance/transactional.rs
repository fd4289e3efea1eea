//! Handlers that write in the transaction which completes their job.

use std::sync::Arc;
use std::time::Duration;

use pgq::{Context, FailureKind, Result, State, Tx};
use tokio::sync::Notify;

use crate::world::{SPAN, World};

/// Lets a handler go on when the test says so.
#[derive(Clone, Default, pgq::Provide)]
pub(crate) struct Gate {
    open: Arc<Notify>,
}

impl pgq::Resources for Gate {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Ok(Self::default())
    }
}

#[pgq::task]
async fn effect(of: String) -> Result<(), pgq::BoxError> {
    let _ = of;
    Ok(())
}

/// Leaves an effect, which is a job, and perhaps a follow-up.
#[pgq::task(retry = fixed("1s"))]
async fn order(ctx: Context<Gate>, tx: &Tx, how: String) -> Result<(), pgq::BoxError> {
    effect::enqueue(tx, how.clone()).await?;
    match how.as_str() {
        "fails" => Err("out of stock")?,
        "panics" => panic!("out of its mind"),
        "snoozes" => Err(pgq::snooze(Duration::from_secs(5)))?,
        "waits" => ctx.open.notified().await,
        "leads on" => ctx.enqueue(effect::job("after".to_owned()))?,
        _ => {}
    }
    Ok(())
}

#[pgq::task(on_error = at_most_once)]
async fn judged(tx: &Tx) -> Result<(), pgq::BoxError> {
    effect::enqueue(tx, "judged".to_owned()).await?;
    Err("hopeless")?
}

fn at_most_once(attempt: u16, _error: &pgq::BoxError) -> Option<pgq::Control> {
    (attempt == 1).then(|| pgq::discard("never again"))
}

async fn effects(world: &World) -> Result<u64> {
    Ok(world.client.jobs().task("effect").count().await?.jobs)
}

pub(crate) async fn what_a_handler_did_in_its_transaction_stands_with_its_completion(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![order], Gate::default()).await?;
    let id = order::enqueue(&world.client, "well".to_owned()).await?.id();
    assert_eq!(worker.drain().await?, 1);
    assert_eq!((world.state(id).await?, effects(&world).await?), (State::Completed, 1));
    let job = world.job(id).await?;
    assert!(job.finished.is_some() && job.failures.is_empty());
    Ok(())
}

pub(crate) async fn nothing_stands_of_an_attempt_that_does_not_complete(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![order, judged], Gate::default()).await?;
    for (how, state) in [("fails", State::Retryable), ("panics", State::Retryable), ("snoozes", State::Scheduled)] {
        let id = order::enqueue(&world.client, how.to_owned()).await?.id();
        assert_eq!(worker.drain().await?, 1);
        assert_eq!((world.state(id).await?, effects(&world).await?), (state, 0), "{how}");
    }
    let id = judged::enqueue(&world.client, ()).await?.id();
    assert_eq!(worker.drain().await?, 1);
    assert_eq!((world.state(id).await?, effects(&world).await?), (State::Discarded, 0));
    Ok(())
}

pub(crate) async fn follow_ups_are_in_the_same_commit(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![order], Gate::default()).await?;
    order::enqueue(&world.client, "leads on".to_owned()).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(effects(&world).await?, 2);
    Ok(())
}

pub(crate) async fn nothing_stands_of_an_attempt_that_was_overtaken(world: World) -> Result<()> {
    let gate = Gate::default();
    let mut worker = world.worker(pgq::tasks![order], gate.clone()).await?;
    let id = order::enqueue(&world.client, "waits".to_owned()).await?.id();
    worker.start().await?;
    let heir = world.session(&["order"]).await?;
    world.clock.advance(SPAN + Duration::from_secs(1));
    heir.attend().await?.renew().await?;
    assert_eq!(heir.rescue(10).await?.freed, 1);
    gate.open.notify_one();
    worker.settle().await?;
    assert_eq!((world.state(id).await?, effects(&world).await?), (State::Available, 0));
    Ok(())
}

pub(crate) async fn a_handler_that_is_out_of_time_leaves_nothing(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![order], Gate::default()).await?;
    let id = order::job("waits".to_owned()).timeout(Duration::from_secs(5)).enqueue(&world.client).await?.id();
    worker.start().await?;
    let time = async {
        for _ in 0..10 {
            world.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let (settled, ()) = tokio::join!(worker.settle(), time);
    settled?;
    let job = world.job(id).await?;
    assert_eq!((job.failures[0].kind, effects(&world).await?), (FailureKind::Timeout, 0));
    Ok(())
}
