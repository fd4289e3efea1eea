//! Tasks that block: a plain `fn`, on threads of the worker's own.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pgq::testing::Stepper;
use pgq::{Context, FailureKind, Result, State, Worker};
use tokio::sync::mpsc;

use crate::world::World;

/// A gate that threads wait at.
#[derive(Clone, pgq::Provide)]
pub(crate) struct Press {
    gate: Arc<(Mutex<bool>, Condvar)>,
    begun: mpsc::UnboundedSender<String>,
}

impl pgq::Resources for Press {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

impl Press {
    fn new() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (begun, told) = mpsc::unbounded_channel();
        (Self { gate: Arc::default(), begun }, told)
    }

    fn open(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    fn wait(&self) {
        drop(self.gate.1.wait_while(self.gate.0.lock().unwrap(), |open| !*open).unwrap());
    }
}

#[pgq::task(retry = fixed("1h"))]
fn press(ctx: Context<Press>, what: String) -> std::result::Result<(), pgq::BoxError> {
    let _ = ctx.begun.send(what);
    ctx.wait();
    Ok(())
}

/// Runs on the same threads.
#[pgq::task(timeout = "5s")]
fn fold(ctx: Context<Press>) -> std::result::Result<(), pgq::BoxError> {
    let _ = ctx.begun.send("fold".to_owned());
    Ok(())
}

async fn worker(world: &World, press: &Press, blocking: usize) -> Result<Stepper> {
    let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![self::press, fold]);
    builder.resources(press.clone()).blocking_slots(blocking).stepper().await
}

pub(crate) async fn no_more_blocking_jobs_are_claimed_than_can_begin(world: World) -> Result<()> {
    let (app, mut told) = Press::new();
    let mut worker = worker(&world, &app, 2).await?;
    press::enqueue_many(&world.client, (0..5).map(|n| n.to_string())).await?;
    assert_eq!((worker.start().await?, worker.start().await?), (2, 0));
    assert!(told.recv().await.is_some() && told.recv().await.is_some());
    assert_eq!(world.client.jobs().state(State::Available).count().await?.jobs, 3);
    app.open();
    worker.settle().await?;
    assert_eq!(worker.drain().await?, 3);
    assert_eq!(world.client.jobs().state(State::Completed).count().await?.jobs, 5);
    Ok(())
}

pub(crate) async fn an_attempt_that_waits_for_a_thread_is_not_out_of_time(world: World) -> Result<()> {
    let (app, mut told) = Press::new();
    let mut worker = worker(&world, &app, 1).await?;
    press::enqueue(&world.client, "first".to_owned()).await?;
    let waiting = fold::enqueue(&world.client, ()).await?.id();
    assert_eq!(worker.start().await?, 2);
    assert_eq!(told.recv().await.as_deref(), Some("first"));
    world.clock.advance(Duration::from_mins(1));
    app.open();
    worker.settle().await?;
    let job = world.job(waiting).await?;
    assert_eq!((job.state, job.failures), (State::Completed, Vec::new()));
    Ok(())
}

pub(crate) async fn a_handler_that_is_left_behind_keeps_its_place_and_its_result_is_ignored(
    world: World,
) -> Result<()> {
    let (app, mut told) = Press::new();
    let mut worker = worker(&world, &app, 1).await?;
    let job = press::job("long".to_owned()).timeout(Duration::from_secs(5));
    let id = job.enqueue(&world.client).await?.id();
    assert_eq!(worker.start().await?, 1);
    assert_eq!(told.recv().await.as_deref(), Some("long"));
    let time = async {
        for _ in 0..10 {
            world.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let (settled, ()) = tokio::join!(worker.settle(), time);
    settled?;
    fold::enqueue(&world.client, ()).await?;
    assert_eq!(worker.start().await?, 0, "its thread goes on");
    app.open();
    while worker.start().await? == 0 {
        tokio::task::yield_now().await;
    }
    worker.settle().await?;
    assert_eq!(told.recv().await.as_deref(), Some("fold"));
    let job = world.job(id).await?;
    assert_eq!((job.state, job.failures.len(), job.failures[0].kind), (State::Retryable, 1, FailureKind::Timeout));
    Ok(())
}
