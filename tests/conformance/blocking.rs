//! Tasks that block: a plain `fn`, on threads of the worker's own.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pgq::testing::Stepper;
use pgq::{Context, FailureKind, Handle, JobId, Result, State, Worker};
use tokio::sync::mpsc;

use crate::world::{World, start};

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

/// One after the other, over the fleet and of each `who`.
#[pgq::task(concurrency = 1, timeout = "5s", retry = fixed("1h"))]
fn stamp(ctx: Context<Press>, what: String) -> std::result::Result<(), pgq::BoxError> {
    let _ = ctx.begun.send(what);
    ctx.wait();
    Ok(())
}

#[pgq::task(limit(concurrency = 1, key = "who"), timeout = "5s", retry = fixed("1h"))]
fn sign(ctx: Context<Press>, who: u32, what: String) -> std::result::Result<(), pgq::BoxError> {
    let _ = (who, ctx.begun.send(what));
    ctx.wait();
    Ok(())
}

/// As a handler's timeout and the grace after it pass.
async fn ten_seconds(world: &World) {
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
}

async fn limited(world: &World, press: &Press) -> Result<Stepper> {
    let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![stamp, sign]);
    builder.resources(press.clone()).blocking_slots(4).stepper().await
}

/// Two of a task of which one may run at once.
async fn two_of(world: &World, is_keyed: bool) -> Result<[JobId; 2]> {
    let client = &world.client;
    let ids: Vec<JobId> = if is_keyed {
        let args = |n: u32| SignArgs { who: 7, what: n.to_string() };
        sign::enqueue_many(client, (0..2).map(args)).await?.iter().map(Handle::id).collect()
    } else {
        stamp::enqueue_many(client, (0..2).map(|n: u32| n.to_string())).await?.iter().map(Handle::id).collect()
    };
    Ok([ids[0], ids[1]])
}

async fn starts_none(world: &World, worker: &mut Stepper) -> Result<()> {
    for _ in 0..3 {
        worker.session().promote(99).await?;
        assert_eq!(worker.start().await?, 0, "its thread goes on");
        world.clock.advance(Duration::from_secs(2));
    }
    Ok(())
}

pub(crate) async fn a_handler_that_outlives_its_time_counts_until_its_thread_ends(world: World) -> Result<()> {
    for is_keyed in [false, true] {
        let (app, mut told) = Press::new();
        let mut worker = limited(&world, &app).await?;
        let [first, second] = two_of(&world, is_keyed).await?;
        assert_eq!(start(&mut worker).await?, 1);
        assert_eq!(told.recv().await.as_deref(), Some("0"));
        ten_seconds(&world).await;
        starts_none(&world, &mut worker).await?;
        assert_eq!(world.state(first).await?, State::Running);
        app.open();
        worker.settle().await?;
        let job = world.job(first).await?;
        assert_eq!((job.state, job.failures.len(), job.failures[0].kind), (State::Retryable, 1, FailureKind::Timeout));
        assert_eq!(start(&mut worker).await?, 1);
        worker.settle().await?;
        assert_eq!(world.state(second).await?, State::Completed);
        worker.leave().await?;
    }
    Ok(())
}

pub(crate) async fn a_cancelled_handler_counts_until_its_thread_ends(world: World) -> Result<()> {
    for is_keyed in [false, true] {
        let (app, mut told) = Press::new();
        let mut worker = limited(&world, &app).await?;
        let [first, second] = two_of(&world, is_keyed).await?;
        assert_eq!(start(&mut worker).await?, 1);
        assert_eq!(told.recv().await.as_deref(), Some("0"));
        world.client.cancel(first, "not wanted").await?;
        worker.beat().await?;
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
        starts_none(&world, &mut worker).await?;
        assert_eq!(world.state(first).await?, State::Running);
        app.open();
        worker.settle().await?;
        assert_eq!(world.state(first).await?, State::Cancelled);
        assert_eq!(start(&mut worker).await?, 1);
        worker.settle().await?;
        assert_eq!(world.state(second).await?, State::Completed);
        worker.leave().await?;
    }
    Ok(())
}

pub(crate) async fn a_handler_that_is_out_of_time_can_be_cancelled_while_its_thread_goes_on(
    world: World,
) -> Result<()> {
    let (app, mut told) = Press::new();
    let mut worker = limited(&world, &app).await?;
    let [first, _] = two_of(&world, false).await?;
    assert_eq!(worker.start().await? + worker.start().await?, 1);
    assert_eq!(told.recv().await.as_deref(), Some("0"));
    ten_seconds(&world).await;
    world.client.cancel(first, "not wanted").await?;
    worker.beat().await?;
    app.open();
    worker.settle().await?;
    assert_eq!(world.state(first).await?, State::Cancelled);
    Ok(())
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

pub(crate) async fn blocking_tasks_share_the_threads_that_are_free(world: World) -> Result<()> {
    let (app, mut told) = Press::new();
    let mut worker = worker(&world, &app, 1).await?;
    press::enqueue(&world.client, "first".to_owned()).await?;
    let second = fold::enqueue(&world.client, ()).await?.id();
    assert_eq!((worker.start().await?, worker.start().await?), (1, 0), "what waited for a thread would start late");
    assert_eq!(told.recv().await.as_deref(), Some("first"));
    app.open();
    worker.settle().await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(world.state(second).await?, State::Completed);
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
    let (settled, ()) = tokio::join!(worker.settle(), ten_seconds(&world));
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
