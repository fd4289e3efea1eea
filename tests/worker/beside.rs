//! What the next claim must know of what a full one has won: then that starts first.

use std::sync::Arc;
use std::time::Duration;

use pgq::{Context, Env, Error, Handle, JobId, Resources, Result, State, Tasks, Worker};
use tokio::runtime;
use tokio::sync::Semaphore;

use super::faults::{Fault, Faults, plan, wayward_over};
use crate::world::{SPAN, World, claim};

/// Where attempts stay until they are let go.
#[derive(Clone, pgq::Provide)]
struct Yard {
    gate: Arc<Semaphore>,
}

impl Resources for Yard {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

/// Those that are let go first.
#[pgq::task(priority = 9)]
async fn vanguard(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.gate.acquire().await?.forget();
    Ok(())
}

#[pgq::task]
async fn stray(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.gate.acquire().await?.forget();
    Ok(())
}

/// On a thread of the worker's own.
#[pgq::task]
fn graze(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    runtime::Handle::current().block_on(ctx.gate.acquire())?.forget();
    Ok(())
}

/// With two slots of four in use the second claim wins all that it asks for, which is two, and there is room for two more by then.
/// When this returns the third claim is done.
async fn three_claims(world: &World, tasks: Tasks<Yard>) -> Result<(Yard, Worker<Yard>)> {
    let faults = Arc::new(Faults::default());
    let client = wayward_over(&world.client, &world.clock, &faults)?;
    vanguard::enqueue_many(&client, [(); 2]).await?;
    plan(&faults.claim, &[Fault::Held; 3]);
    let yard = Yard { gate: Arc::new(Semaphore::new(0)) };
    let builder = Worker::builder().client(client.clone()).tasks(tasks);
    let builder = builder.resources(yard.clone()).slots(4).blocking_slots(2).lease(SPAN * 100);
    let worker = builder.spawn().await?;
    faults.is_held().await;
    faults.heard.notify_one();
    faults.is_held().await;
    yard.gate.add_permits(2);
    while client.jobs().task("vanguard").state(State::Completed).count().await?.jobs < 2 {
        world.clock.advance(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    faults.heard.notify_one();
    faults.is_held().await;
    faults.heard.notify_one();
    Ok((yard, worker))
}

async fn claimed(world: &World, of: &[JobId]) -> Result<usize> {
    let jobs = world.client.backend().get(of.to_vec()).await?;
    Ok(jobs.iter().filter(|job| job.state == State::Running).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_blocking_jobs_are_claimed_than_can_begin_after_a_full_claim_of_them() -> Result<()> {
    let world = World::memory();
    let blocking = graze::enqueue_many(&world.client, [(); 4]).await?;
    let blocking: Vec<JobId> = blocking.iter().map(Handle::id).collect();
    stray::job(()).priority(-9).enqueue(&world.client).await?;
    let (yard, worker) = three_claims(&world, pgq::tasks![vanguard, stray, graze]).await?;
    assert_eq!(claimed(&world, &blocking).await?, 2);
    yard.gate.add_permits(9);
    worker.stop().await
}

/// Jobs whose workers have died twice.
async fn two_suspects(world: &World) -> Result<[JobId; 2]> {
    let put = stray::enqueue_many(&world.client, [(); 2]).await?;
    for _ in 0..2 {
        let (doomed, heir) = (world.session(&["stray"]).await?, world.session(&["stray"]).await?);
        assert_eq!(claim(&doomed, &["stray"], 9).await?.len(), 2);
        world.clock.advance(SPAN * 2);
        heir.attend().await?.renew().await?;
        assert_eq!(heir.rescue(9).await?.freed, 2);
        world.clock.advance(SPAN);
        heir.promote(9).await?;
    }
    Ok([put[0].id(), put[1].id()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_suspects_are_claimed_where_a_full_claim_has_won_one() -> Result<()> {
    let world = World::memory();
    let suspects = two_suspects(&world).await?;
    stray::enqueue_many(&world.client, [(); 2]).await?;
    let (yard, worker) = three_claims(&world, pgq::tasks![vanguard, stray]).await?;
    assert_eq!(claimed(&world, &suspects).await?, 1);
    yard.gate.add_permits(9);
    worker.stop().await
}
