//! What a worker that leaves waits for, and what it doesn't.

use std::time::Duration;

use pgq::{BoxError, Worker, sqlx};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::locks::{lock_limit, until};
use crate::log::Log;
use crate::world::World;

#[pgq::task(concurrency = 1)]
async fn moor() -> Result<(), BoxError> {
    Ok(())
}

/// Until it is let go.
#[pgq::task(concurrency = 1)]
async fn ride() -> Result<(), BoxError> {
    ANCHOR.notified().await;
    Ok(())
}

static ANCHOR: Notify = Notify::const_new();

#[tokio::test]
async fn who_leaves_gives_back_units_though_what_it_has_passed_can_not_be_taken_away() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let builder = Worker::<()>::builder().client(world.client.clone()).tasks(pgq::tasks![ride]);
    let worker = builder.lease(Duration::from_hours(1)).spawn().await.unwrap();
    ride::enqueue(&world.client, ()).await.unwrap();
    until(&world, "select count(*) from pgq.job where lease is not null").await;
    let refusal = "insert into pgq.pass (job, gate, epoch, lease) select 1, 'task:a[key]=1', 1, id from pgq.worker;
        create function pgq.refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
        create trigger refuse before delete on pgq.pass for each row execute function pgq.refuse()";
    sqlx::raw_sql(refusal).execute(pool).await.unwrap();
    let stopping = tokio::spawn(worker.stop());
    until(&world, "select count(*) from pgq.share where units > 0").await;
    ANCHOR.notify_one();
    stopping.await.unwrap().unwrap();
    let units = "select count(*) from pgq.share where units > 0";
    assert_eq!(sqlx::query_scalar::<_, i64>(units).fetch_one(pool).await.unwrap(), 0);
}

/// Whoever is stopped may have a limit locked of which somebody has something who leaves.
#[tokio::test]
async fn who_has_left_waits_for_no_limit_that_somebody_has_locked() {
    let log = Log::default();
    let _listening = log.listen();
    let world = World::postgres().await;
    let builder = Worker::<()>::builder().client(world.client.clone()).tasks(pgq::tasks![moor]);
    let worker = builder.lease(Duration::from_hours(1)).spawn().await.unwrap();
    moor::enqueue(&world.client, ()).await.unwrap();
    until(&world, "select count(*) from pgq.share where units > 0").await;
    let tx = lock_limit(&world, "task:moor").await;
    let asked = Instant::now();
    worker.stop().await.unwrap();
    assert_eq!(log.about("couldn't say that it leaves"), [""; 0], "{:?}", asked.elapsed());
    until(&world, "select count(*) from pgq.worker where gone is not null").await;
    tx.rollback().await.unwrap();
    let next = world.session(&["moor"]).await.unwrap();
    next.rescue(9).await.unwrap();
    let shares = "select count(*) from pgq.share where units > 0";
    assert_eq!(sqlx::query_scalar::<_, i64>(shares).fetch_one(world.client.pool().unwrap()).await.unwrap(), 0);
}
