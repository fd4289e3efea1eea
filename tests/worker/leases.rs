//! Who keeps a lease, and who gives it up, by a clock that only the test moves: however slow the machine, no lease runs out by
//! itself.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pgq::testing::{ManualClock, Stepper};
use pgq::{Client, Context, Env, Resources, Result, State, Worker, WorkerBuilder};
use tokio::sync::{mpsc, watch};

use super::faults::{Faults, wayward_over};
use super::refusal;
use crate::world::{World, passing};

/// It also bounds how long a turn may take, by the machine's time.
const LEASE: Duration = Duration::from_mins(6);

/// Makes a test of every fact for each backend.
macro_rules! facts {
    ($($place:ident: $world:expr;)*) => {
        $(
            mod $place {
                use crate::world::World;

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn a_handler_that_blocks_the_runtime_keeps_its_lease() -> pgq::Result<()> {
                    super::a_handler_that_blocks_the_runtime_keeps_its_lease($world).await
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn a_dropped_runtime_gives_up_its_lease() -> pgq::Result<()> {
                    super::a_dropped_runtime_gives_up_its_lease($world).await
                }
            }
        )*
    };
}

facts! {
    memory: World::memory();
    postgres: World::postgres().await;
    poll_only: World::poll_only().await;
}

#[cfg(feature = "pooler")]
facts! {
    pooler: World::pooler().await;
}

/// What handlers tell, and wait for.
#[derive(pgq::Provide)]
struct App {
    told: mpsc::UnboundedSender<&'static str>,
    gate: Arc<Gate>,
}

/// Holds up the threads that come to it.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Whether it was opened. The limit only bounds how long a failing test takes.
    fn pass(&self) -> bool {
        let closed = self.opened.wait_timeout_while(self.open.lock().unwrap(), Duration::from_mins(1), |open| !*open);
        !closed.unwrap().1.timed_out()
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl Resources for App {
    async fn init(_: &Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

/// Holds up a thread of the runtime.
#[pgq::task]
async fn clog(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.told.send("blocking")?;
    Ok(ctx.told.send(if ctx.gate.pass() { "done" } else { "given up" })?)
}

/// Never ends.
#[pgq::task]
async fn endless(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.told.send("started")?;
    std::future::pending().await
}

struct Scene {
    told: mpsc::UnboundedReceiver<&'static str>,
    gate: Arc<Gate>,
}

fn scene(client: Client) -> (WorkerBuilder<App>, Scene) {
    let (tell, told) = mpsc::unbounded_channel();
    let gate = Arc::<Gate>::default();
    let app = App { told: tell, gate: Arc::clone(&gate) };
    let builder = Worker::builder().client(client).tasks(pgq::tasks![clog, endless]).resources(app).lease(LEASE);
    (builder, Scene { told, gate })
}

impl Scene {
    async fn take(&mut self, count: usize) -> Vec<&'static str> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(self.told.recv().await.expect("the worker lives"));
        }
        lines
    }
}

/// Who could declare the worker gone, and lives through all of this.
async fn rescuer(client: &Client) -> Result<Stepper> {
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![refusal::idle]);
    builder.lease(LEASE * 9).stepper().await
}

/// Until the second beat. Where the clock was moved before the first one's time was taken, it is due later: then the clock has to
/// be moved on, but by less than a lease, as a beat may be under way. Nobody sleeps meanwhile: the threads that would wake him
/// are held up.
async fn beaten(clock: &ManualClock, renewed: &mut watch::Receiver<usize>) {
    let mut steps = 0;
    for turn in 1.. {
        tokio::task::yield_now().await;
        if *renewed.borrow_and_update() > 1 {
            return;
        }
        if turn % 10_000 == 0 && steps < 10 {
            clock.advance(LEASE / 15);
            steps += 1;
        }
    }
}

async fn a_handler_that_blocks_the_runtime_keeps_its_lease(world: World) -> Result<()> {
    let faults = Arc::new(Faults::default());
    let (builder, mut scene) = scene(wayward_over(&world.client, &world.clock, &faults)?);
    let mut renewed = faults.renewed.subscribe();
    let ids = clog::enqueue_many(&world.client, [(); 4]).await?;
    let mut other = rescuer(&world.client).await?;
    let worker = builder.spawn().await?;
    renewed.wait_for(|times| *times == 1).await.unwrap();
    assert_eq!(scene.take(2).await, ["blocking"; 2], "on both threads of the runtime");
    world.clock.advance(LEASE * 2);
    beaten(&world.clock, &mut renewed).await;
    scene.gate.open();
    // What was to begin before the beat was heard of is handed back, and claimed anew within a second.
    let told = passing(&world.clock, LEASE / 3, scene.take(6)).await;
    assert!(!told.contains(&"given up"), "it beats while they block: {told:?}");
    other.beat().await?;
    other.rescue().await?;
    worker.stop().await?;
    for handle in ids {
        let job = world.client.get(handle.id()).await?.unwrap();
        assert_eq!((job.state, job.attempt, job.crashes), (State::Completed, 1, 0));
    }
    Ok(())
}

/// The heartbeat has a thread of its own, which would keep the lease for as long as the process lives.
async fn a_dropped_runtime_gives_up_its_lease(world: World) -> Result<()> {
    let (builder, mut scene) = scene(world.client.clone());
    let id = endless::enqueue(&world.client, ()).await?.id();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let held = runtime.spawn(builder.spawn()).await.unwrap()?;
    assert_eq!(scene.take(1).await, ["started"]);
    let mut other = rescuer(&world.client).await?;
    runtime.shutdown_background();
    // Three leases long; the client's connections that were used on the dropped runtime fail once.
    for _ in 0..60 {
        if matches!(world.client.get(id).await, Ok(Some(job)) if job.state != State::Running) {
            drop(held);
            return Ok(());
        }
        // Less than between two beats, and then time for one.
        world.clock.advance(LEASE / 20);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = (other.beat().await, other.rescue().await);
    }
    panic!("it is never freed");
}
