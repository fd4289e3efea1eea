//! A limit that comes, or changes, while something waits for a lock.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Ask, Bounds, Declared, Limited, Measure, NextToken, PoolName, Rate, Session};
use pgq::{Allow, LimitRef, sqlx};

use super::locks::{lock_limit, until, until_waits};
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

/// A worker of whose task three may run at once, and what it says that would like to have all of them.
pub(super) async fn three_at_once(world: &World) -> (Arc<dyn Session>, Vec<(PoolName, Ask)>) {
    let bounds = Bounds { concurrency: Some(3), rate: None };
    let session = session(world, bounds).await;
    let begun = session.pools().await.unwrap()[0].portion.begun;
    let pool = PoolName { limit: "task:flock".into(), measure: Measure::Concurrency };
    (session, vec![(pool, Ask { keep: u32::MAX, wish: 3, begun, ..Ask::default() })])
}

async fn session(world: &World, bounds: Bounds) -> Arc<dyn Session> {
    let (name, task) = ("task:flock".to_owned(), "flock".to_owned());
    let limit = Limited { name, task: Some(task.clone()), sharers: Vec::new(), keyed: false, bounds };
    let session = world.session(&[&*task]).await.unwrap();
    let declared = Declared { tasks: vec![task], schedules: Vec::new(), limits: vec![limit] };
    session.declare(declared).await.unwrap();
    session
}

#[tokio::test]
async fn what_a_limit_allows_by_now_counts_for_who_asked_before() {
    let world = World::postgres().await;
    let (session, asks) = three_at_once(&world).await;
    let mut tx = lock_limit(&world, "task:flock").await;
    let change = async {
        until_waits(&world, "and query like '%for update%'").await;
        sqlx::query("update pgq.limit set concurrency = 1").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (portions, ()) = tokio::join!(session.share(asks), change);
    assert_eq!(portions.unwrap()[0].1.units, 1);
    until(&world, "select count(*) from pgq.share where units = 1").await;
}

#[tokio::test]
async fn what_is_given_back_is_once_though_its_next_token_is_told_meanwhile() {
    let world = World::postgres().await;
    let rate = Rate::every(Duration::from_secs(9), 1).unwrap();
    let session = session(&world, Bounds { concurrency: None, rate: Some(rate) }).await;
    let pool = PoolName { limit: "task:flock".into(), measure: Measure::Rate };
    session.share(vec![(pool.clone(), Ask { keep: u32::MAX, wish: 1, ..Ask::default() })]).await.unwrap();
    until(&world, "select count(*) from pgq.share where units = 1").await;
    // As who tells of a token does it.
    let mut telling = world.client.pool().unwrap().begin().await.unwrap();
    sqlx::query("select from pgq.limit for key share").execute(&mut *telling).await.unwrap();
    let tell = async {
        until_waits(&world, "and query like '%for update%'").await;
        sqlx::query("update pgq.share set next = now()").execute(&mut *telling).await.unwrap();
        telling.commit().await.unwrap();
    };
    let (given, ()) = tokio::join!(session.share(vec![(pool, Ask::default())]), tell);
    assert_eq!(given.unwrap()[0].1.units, 0);
    until(&world, "select 1 - count(*) from pgq.share").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_told_while_its_rate_changes_is_not_known() {
    let world = World::postgres().await;
    let wait = Duration::from_secs(9);
    let rate = Rate::every(wait, 1).unwrap();
    let session = session(&world, Bounds { concurrency: None, rate: Some(rate) }).await;
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
