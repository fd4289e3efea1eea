//! A limit that comes while a claim waits for a lock.

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
