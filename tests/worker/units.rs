//! Units of a limit on their way between workers of which none is at work, by a clock that stands still.

use std::time::Duration;

use pgq::{Context, Env, Error, Resources, Result, Worker};
use tokio::sync::mpsc;

use crate::world::World;

/// Where handlers say that they run.
#[derive(pgq::Provide)]
struct Line {
    told: mpsc::UnboundedSender<u32>,
}

impl Resources for Line {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

#[pgq::task(concurrency = 1)]
async fn report(ctx: Context<Line>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.told.send(number)?;
    Ok(())
}

#[pgq::task(rps = 1, per = "12s")]
async fn chime(ctx: Context<Line>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.told.send(number)?;
    Ok(())
}

/// One after the other has the unit of a rate that takes longer to fill than they live.
async fn a_worker_that_stops_leaves_what_a_rate_has_filled(world: World) {
    let (told, mut reports) = mpsc::unbounded_channel();
    let begin = async || {
        let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![chime]);
        let builder = builder.resources(Line { told: told.clone() }).lease(Duration::from_hours(1));
        builder.spawn().await.unwrap()
    };
    let mut next = async |reason: &str| {
        let report = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
        report.unwrap_or_else(|_| panic!("{reason}"))
    };
    chime::enqueue_many(&world.client, 0..3).await.unwrap();
    let first = begin().await;
    assert_eq!(next("a rate begins full").await, Some(0));
    world.clock.advance(Duration::from_secs(6));
    first.stop().await.unwrap();
    let second = begin().await;
    world.clock.advance(Duration::from_millis(6_001));
    assert_eq!(next("half of it came from the one before").await, Some(1));
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
    let (told, mut reports) = mpsc::unbounded_channel();
    let mut workers = Vec::new();
    for _ in 0..2 {
        let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![report]).slots(1);
        let builder = builder.resources(Line { told: told.clone() }).lease(Duration::from_hours(1));
        workers.push(builder.spawn().await.unwrap());
    }
    for number in 0..100 {
        report::enqueue(&world.client, number).await.unwrap();
        let reported = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
        assert_eq!(reported.expect("it runs without the clock moving"), Some(number));
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
