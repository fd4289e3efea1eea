//! Workers at gates that somebody held while they were left.

use std::time::Duration;

use pgq::{BoxError, State, Worker, sqlx};
use tokio::sync::Semaphore;

use super::locks::{lock_gate, until, until_waits};
use crate::world::World;

static LEAVES: Semaphore = Semaphore::const_new(0);

#[pgq::task(limit(concurrency = 1, key = "shop"))]
async fn restock(shop: u32, number: u32) -> Result<(), BoxError> {
    let _ = shop;
    if number == 0 {
        LEAVES.acquire().await?.forget();
    }
    Ok(())
}

const WAITS: &str = "select count(*) from pgq.job where limit_key is not null and lane = 2";
const LEFT: &str = "select (count(*) = 0)::int::int8 from pgq.pass";
const NOBODY_WAITS: &str = "select (count(*) = 0)::int::int8 from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'";

/// So long that beats come no more often for it than anybody has to look.
const LEASE: Duration = Duration::from_mins(1);
/// The time between two beats.
const BEAT: Duration = Duration::from_millis(1_150);

/// Lets the worker beat, and time stand still meanwhile, so that beats don't seem to take long.
async fn beat(world: &World) {
    let pool = world.client.pool().unwrap();
    let last: String = sqlx::query_scalar("select beat::text from pgq.worker").fetch_one(pool).await.unwrap();
    let beaten = format!("select count(*) from pgq.worker where beat > '{last}'");
    let again = async {
        loop {
            // One that was only about to wait for its time when the clock moved waits for all of it.
            world.clock.advance(BEAT);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = until(world, &beaten) => {}
        () = again => {}
    }
    // What it saw is seen to, and what ended is written.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(Duration::from_millis(5));
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_at_a_gate_that_was_locked_when_it_was_left_goes_in_about_a_second() {
    let world = World::postgres().await;
    let builder = Worker::<()>::builder().client(world.client.clone()).tasks(pgq::tasks![restock]);
    let worker = builder.lease(LEASE).spawn().await.unwrap();
    let args = |number| RestockArgs { shop: 7, number };
    let jobs = restock::enqueue_many(&world.client, (0..2).map(args)).await.unwrap();
    until(&world, WAITS).await;
    // Each service leaves it to the beats by then to see what there is to do.
    for _ in 0..4 {
        beat(&world).await;
    }
    let held = lock_gate(&world, "task:restock[shop]=7").await;
    LEAVES.add_permits(1);
    let written = async {
        loop {
            world.clock.advance(Duration::from_millis(5));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = until_waits(&world, "and query like '%gate%for update%'") => {}
        () = written => {}
    }
    until(&world, LEFT).await;
    until(&world, NOBODY_WAITS).await;
    held.rollback().await.unwrap();
    for _ in 0..2 {
        beat(&world).await;
    }
    assert_eq!(world.state(jobs[1].id()).await.unwrap(), State::Completed);
    worker.stop().await.unwrap();
}
