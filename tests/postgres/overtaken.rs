//! A limit that comes, or changes, while something waits for a lock.

use std::time::Duration;

use pgq::backend::{Ask, Bounds, Declared, Limited, Measure, NextToken, PoolName, Rate};
use pgq::{Allow, LimitRef, sqlx};

use super::locks::{until, until_waits};
use crate::worker::overtaken::{Pen, flock, herding, no_more_than};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_claim_wins_is_handed_back_where_a_limit_came_meanwhile() {
    let world = World::postgres().await;
    let (pen, mut entries) = Pen::new();
    let worker = herding(&world.client, &pen).await.unwrap();
    until(&world, "select count(*) from pgq.sleeper where asleep").await;
    // A claim reads what is paused, and nobody else does.
    let mut tx = world.client.pool().unwrap().begin().await.unwrap();
    sqlx::query("lock table pgq.pause in access exclusive mode").execute(&mut *tx).await.unwrap();
    flock::enqueue_many(&world.client, 0..40).await.unwrap();
    until_waits(&world, "and query like '%for key share%'").await;
    world.client.set_limit(LimitRef::of::<flock>(), Allow::at_once(2)).await.unwrap();
    until(&world, "select count(*) from pgq.limit where counted and not exists (select from pgq.share)").await;
    tx.commit().await.unwrap();
    no_more_than(2, 40, &pen, &mut entries).await;
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_told_while_its_rate_changes_is_not_known() {
    let world = World::postgres().await;
    let session = world.session(&["flock"]).await.unwrap();
    let wait = Duration::from_secs(9);
    let (name, task, rate) = ("task:flock".to_owned(), "flock".to_owned(), Rate::every(wait, 1).unwrap());
    let bounds = Bounds { concurrency: None, rate: Some(rate) };
    let limit = Limited { name, task: Some(task.clone()), sharers: Vec::new(), keyed: false, bounds };
    let declared = Declared { tasks: vec![task], schedules: Vec::new(), limits: vec![limit] };
    session.declare(declared).await.unwrap();
    let pool = PoolName { limit: "task:flock".into(), measure: Measure::Rate };
    session.share(vec![(pool.clone(), Ask { keep: u32::MAX, wish: 1, ..Ask::default() })]).await.unwrap();
    let token = NextToken { wait, units: 1, rate };
    let mut tx = world.client.pool().unwrap().begin().await.unwrap();
    sqlx::query("select from pgq.limit for update").execute(&mut *tx).await.unwrap();
    let change = async {
        until_waits(&world, "and query like '%for key share of known%'").await;
        sqlx::query("update pgq.limit set pace_ns = 2 * pace_ns").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (told, ()) = tokio::join!(session.foretell(vec![(pool, token)]), change);
    told.unwrap();
    until(&world, "select count(*) from pgq.share where units = 1 and next is null").await;
}
