//! Units of several limits, of which a job needs one each, among more workers than there are units.

use pgq::Context;
use tokio::sync::mpsc;

use crate::quay::{Quay, quay};
use crate::world::{World, soon};

#[pgq::task(concurrency = 2, limit(name = "desk", concurrency = 2))]
async fn stamp(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.tell(number)
}

/// Has no jobs.
#[pgq::task(limit(name = "desk", concurrency = 2))]
async fn fold(_ctx: Context<Quay>) -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(concurrency = 1, limit(name = "canal-lock", concurrency = 1))]
async fn tow(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.tell(number)
}

#[pgq::task(limit(name = "canal-lock", concurrency = 1), limit(name = "canal-bridge", concurrency = 1))]
async fn cruise(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.tell(number)
}

async fn until_run(reports: &mut mpsc::UnboundedReceiver<u32>, jobs: u32) {
    for _ in 0..jobs {
        assert!(soon("another one runs", reports.recv()).await.is_some());
    }
}

/// Each of several limits has one unit, and many workers have the tasks.
async fn single_units_of_two_limits_come_together(world: World) {
    let (quay, mut reports) = quay();
    let mut workers = Vec::new();
    for _ in 0..8 {
        workers.push(quay.builder(&world.client, pgq::tasks![tow, cruise]).spawn().await.unwrap());
    }
    let all = async {
        tow::enqueue_many(&world.client, 0..20).await.unwrap();
        until_run(&mut reports, 20).await;
        cruise::enqueue_many(&world.client, 0..20).await.unwrap();
        until_run(&mut reports, 20).await;
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
    let (quay, mut reports) = quay();
    let mut workers = Vec::new();
    for _ in 0..6 {
        workers.push(quay.builder(&world.client, pgq::tasks![stamp, fold]).slots(1).spawn().await.unwrap());
    }
    stamp::enqueue_many(&world.client, 0..60).await.unwrap();
    let all = async {
        until_run(&mut reports, 60).await;
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
