//! Units of several limits, of which a job needs one each, among more workers than there are units.

use std::time::Duration;

use pgq::{Context, Env, Error, Resources, Result, Worker};
use tokio::sync::mpsc;

use crate::world::World;

/// Where handlers say that they run.
#[derive(pgq::Provide)]
struct Desk {
    told: mpsc::UnboundedSender<u32>,
}

impl Resources for Desk {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

#[pgq::task(concurrency = 2, limit(name = "desk", concurrency = 2))]
async fn stamp(ctx: Context<Desk>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.told.send(number)?;
    Ok(())
}

/// Has no jobs.
#[pgq::task(limit(name = "desk", concurrency = 2))]
async fn fold(_ctx: Context<Desk>) -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(concurrency = 1, limit(name = "canal-lock", concurrency = 1))]
async fn tow(ctx: Context<Desk>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.told.send(number)?;
    Ok(())
}

#[pgq::task(limit(name = "canal-lock", concurrency = 1), limit(name = "canal-bridge", concurrency = 1))]
async fn cruise(ctx: Context<Desk>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.told.send(number)?;
    Ok(())
}

/// Each of several limits has one unit, and many workers have the tasks.
async fn single_units_of_two_limits_come_together(world: World) {
    let (told, mut reports) = mpsc::unbounded_channel();
    let mut workers = Vec::new();
    for _ in 0..8 {
        let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![tow, cruise]);
        let builder = builder.resources(Desk { told: told.clone() }).lease(Duration::from_hours(1));
        workers.push(builder.spawn().await.unwrap());
    }
    let all = async {
        tow::enqueue_many(&world.client, 0..20).await.unwrap();
        for _ in 0..20 {
            let reported = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
            assert!(reported.expect("another one runs").is_some());
        }
        cruise::enqueue_many(&world.client, 0..20).await.unwrap();
        for _ in 0..20 {
            let reported = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
            assert!(reported.expect("another one runs").is_some());
        }
        for worker in workers {
            worker.stop().await.unwrap();
        }
    };
    world.while_time_passes(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_units_of_two_limits_come_together_in_memory() {
    single_units_of_two_limits_come_together(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_units_of_two_limits_come_together_in_postgres() {
    single_units_of_two_limits_come_together(World::postgres().await).await;
}

/// Who gets a unit of one limit has nothing to start with it before he has one of the other.
async fn units_of_two_limits_come_together(world: World) {
    let (told, mut reports) = mpsc::unbounded_channel();
    let mut workers = Vec::new();
    for _ in 0..6 {
        let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![stamp, fold]).slots(1);
        let builder = builder.resources(Desk { told: told.clone() }).lease(Duration::from_hours(1));
        workers.push(builder.spawn().await.unwrap());
    }
    stamp::enqueue_many(&world.client, 0..60).await.unwrap();
    let all = async {
        for _ in 0..60 {
            let reported = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
            assert!(reported.expect("another one runs").is_some());
        }
        for worker in workers {
            worker.stop().await.unwrap();
        }
    };
    world.while_time_passes(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_two_limits_come_together_in_memory() {
    units_of_two_limits_come_together(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_two_limits_come_together_in_postgres() {
    units_of_two_limits_come_together(World::postgres().await).await;
}
