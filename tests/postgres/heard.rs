//! What a worker hears of one limit while somebody has another one locked.

use std::time::Duration;

use pgq::{Allow, BoxError, Context, Env, Error, LimitRef, Resources, Result, Worker, sqlx};
use tokio::sync::mpsc;

use super::locks::until_waits;
use crate::world::World;

#[pgq::task(concurrency = 1)]
async fn ebb() -> std::result::Result<(), BoxError> {
    Ok(())
}

#[pgq::task]
async fn flow(ctx: Context<Shore>) -> std::result::Result<(), BoxError> {
    ctx.told.send(()).map_err(Into::into)
}

/// Where `flow` says that it runs.
#[derive(pgq::Provide)]
struct Shore {
    told: mpsc::UnboundedSender<()>,
}

impl Resources for Shore {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_of_a_limit_is_heard_while_another_one_is_locked() {
    let world = World::postgres().await;
    let (told, mut reports) = mpsc::unbounded_channel();
    let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![ebb, flow]);
    let worker = builder.resources(Shore { told }).lease(Duration::from_hours(1)).spawn().await.unwrap();
    world.client.set_limit(LimitRef::of::<flow>(), Allow::at_once(0)).await.unwrap();
    let mut tx = world.client.pool().unwrap().begin().await.unwrap();
    sqlx::query("select from pgq.limit where name = 'task:ebb' for update").execute(&mut *tx).await.unwrap();
    ebb::enqueue(&world.client, ()).await.unwrap();
    until_waits(&world, "and query like '%for update%'").await;
    flow::enqueue(&world.client, ()).await.unwrap();
    world.client.set_limit(LimitRef::of::<flow>(), Allow::everything()).await.unwrap();
    let report = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
    assert_eq!(report.expect("it runs while the other limit is locked"), Some(()));
    tx.rollback().await.unwrap();
    worker.stop().await.unwrap();
}
