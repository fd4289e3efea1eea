//! Units of a limit on their way between workers of which none is at work, by a clock that stands still.

use std::time::Duration;

use pgq::Context;

use crate::quay::{Quay, quay};
use crate::world::{World, soon};

#[pgq::task(concurrency = 1)]
async fn report(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.tell(number)
}

#[pgq::task(rps = 1, per = "12s")]
async fn chime(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.tell(number)
}

/// One after the other has the unit of a rate that takes longer to fill than they live.
async fn a_worker_that_stops_leaves_what_a_rate_has_filled(world: World) {
    let (quay, mut reports) = quay();
    let begin = async || quay.builder(&world.client, pgq::tasks![chime]).spawn().await.unwrap();
    chime::enqueue_many(&world.client, 0..3).await.unwrap();
    let first = begin().await;
    assert_eq!(soon("a rate begins full", reports.recv()).await, Some(0));
    world.clock.advance(Duration::from_secs(6));
    first.stop().await.unwrap();
    let second = begin().await;
    world.clock.advance(Duration::from_millis(6_001));
    assert_eq!(soon("half of it came from the one before", reports.recv()).await, Some(1));
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_leaves_what_a_rate_has_filled_in_memory() {
    a_worker_that_stops_leaves_what_a_rate_has_filled(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_leaves_what_a_rate_has_filled_in_postgres() {
    a_worker_that_stops_leaves_what_a_rate_has_filled(World::postgres().await).await;
}

/// Only one is woken for a job, and as often as not the other one has the unit.
async fn no_job_waits_for_a_unit_that_nobody_uses(world: World) {
    let (quay, mut reports) = quay();
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(quay.builder(&world.client, pgq::tasks![report]).slots(1).spawn().await.unwrap());
    }
    for number in 0..100 {
        report::enqueue(&world.client, number).await.unwrap();
        assert_eq!(soon("it runs without the clock moving", reports.recv()).await, Some(number));
        // What else the two do then: none of it is due, so nothing tells that it is over.
        tokio::time::sleep(Duration::from_millis(u64::from(number % 5))).await;
    }
    let stopped = async {
        for worker in workers {
            worker.stop().await.unwrap();
        }
    };
    world.while_time_passes(stopped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_waits_for_a_unit_that_nobody_uses_in_memory() {
    no_job_waits_for_a_unit_that_nobody_uses(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_waits_for_a_unit_that_nobody_uses_in_postgres() {
    no_job_waits_for_a_unit_that_nobody_uses(World::postgres().await).await;
}
