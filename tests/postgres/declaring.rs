//! What a worker declares while somebody has a limit locked.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Declared, Limited, Session};
use pgq::{Allow, BoxError, Context, LimitRef};

use super::locks::{lock_limit, until_waits};
use crate::quay::{Quay, quay};
use crate::world::{World, soon};

#[pgq::task(concurrency = 1)]
async fn furl() -> std::result::Result<(), BoxError> {
    Ok(())
}

#[pgq::task]
async fn sail(ctx: Context<Quay>) -> std::result::Result<(), BoxError> {
    ctx.tell(0)
}

/// What another version says of `furl`.
fn three_at_once() -> Declared {
    let (tasks, bounds) = (vec!["furl".to_owned()], Bounds { concurrency: Some(3), rate: None });
    let (name, task) = ("task:furl".to_owned(), Some("furl".to_owned()));
    let limit = Limited { name, task, sharers: Vec::new(), keyed: false, bounds };
    Declared { tasks, schedules: Vec::new(), limits: vec![limit] }
}

async fn other_version(world: &World) -> Arc<dyn Session> {
    let session = world.session(&["furl"]).await.unwrap();
    session.declare(three_at_once()).await.unwrap();
    session
}

#[tokio::test]
async fn who_waits_to_declare_gives_signs_of_life() {
    let world = World::postgres().await;
    let session = other_version(&world).await;
    let mut pulse = session.attend().await.unwrap();
    let tx = lock_limit(&world, "task:furl").await;
    let waiting = Arc::clone(&session);
    let declaring = tokio::spawn(async move { waiting.declare(three_at_once()).await });
    until_waits(&world, "and query like '%for update%'").await;
    let beat = tokio::time::timeout(Duration::from_secs(5), pulse.renew()).await;
    beat.expect("it waits for no limit").unwrap();
    tx.rollback().await.unwrap();
    declaring.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_of_a_limit_is_heard_while_its_worker_waits_to_declare() {
    let world = World::postgres().await;
    let (quay, mut reports) = quay();
    let worker = quay.builder(&world.client, pgq::tasks![furl, sail]).spawn().await.unwrap();
    world.client.set_limit(LimitRef::of::<sail>(), Allow::at_once(0)).await.unwrap();
    let other = other_version(&world).await;
    let tx = lock_limit(&world, "task:furl").await;
    other.deregister(true).await.unwrap();
    // What its code says is put in at the next look.
    world.clock.advance(Duration::from_mins(1));
    until_waits(&world, "and query like '%for update%'").await;
    sail::enqueue(&world.client, ()).await.unwrap();
    world.client.set_limit(LimitRef::of::<sail>(), Allow::everything()).await.unwrap();
    assert_eq!(soon("it runs while the other limit is locked", reports.recv()).await, Some(0));
    tx.rollback().await.unwrap();
    worker.stop().await.unwrap();
}
