//! A tick that waits for the job before it, by a clock that only the test moves.

use std::sync::Arc;
use std::time::Duration;

use pgq::{BoxError, Context, Env, Resources, Result, Worker};
use tokio::sync::{Notify, mpsc};

use crate::world::World;

/// What the handler tells, and waits for.
#[derive(pgq::Provide)]
struct App {
    started: mpsc::UnboundedSender<()>,
    open: Arc<Notify>,
}

impl Resources for App {
    async fn init(_: &Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

#[pgq::schedule(every = "2s", overlap = "queue")]
async fn toll(ctx: Context<App>) -> Result<(), BoxError> {
    ctx.started.send(())?;
    ctx.open.notified().await;
    Ok(())
}

#[tokio::test]
async fn in_memory_a_tick_that_waits_is_fired_when_the_job_before_it_ends() -> Result<()> {
    a_tick_that_waits_is_fired_when_the_job_before_it_ends(World::memory()).await
}

#[tokio::test]
async fn on_postgres_a_tick_that_waits_is_fired_when_the_job_before_it_ends() -> Result<()> {
    a_tick_that_waits_is_fired_when_the_job_before_it_ends(World::postgres().await).await
}

async fn a_tick_that_waits_is_fired_when_the_job_before_it_ends(world: World) -> Result<()> {
    let (started, mut starts) = mpsc::unbounded_channel();
    let open = Arc::new(Notify::new());
    let app = App { started, open: Arc::clone(&open) };
    let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![toll]).resources(app);
    let worker = builder.spawn().await?;
    passing(&world, 20, async || Ok(starts.try_recv().is_ok())).await?;
    passing(&world, 20, async || {
        let agenda = world.client.backend().schedules().await?;
        Ok(agenda.schedules.iter().any(|kept| kept.standing.waiting.is_some()))
    })
    .await?;
    open.notify_one();
    // Time passes for what the worker does with an end, but never so much that it looks at its schedules by itself.
    passing(&world, 1, async || Ok(starts.try_recv().is_ok())).await?;
    worker.stopper().insist();
    Ok(())
}

/// Lets up to 500 steps of some milliseconds pass until something is so.
async fn passing(world: &World, millis: u64, mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..500 {
        if is_so().await? {
            return Ok(());
        }
        world.clock.advance(Duration::from_millis(millis));
        // On PostgreSQL a round trip, in which others come to their turns.
        world.client.schedules().await?;
        tokio::task::yield_now().await;
    }
    panic!("it isn't so in time")
}
