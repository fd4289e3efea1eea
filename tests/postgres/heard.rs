//! What a worker hears of one limit while somebody has another one locked.

use std::sync::Arc;

use pgq::backend::{Ask, Declared, Measure, PoolName, Portion};
use pgq::{Allow, BoxError, Context, LimitRef, sqlx};

use super::locks::{lock_limit, until, until_waits};
use crate::quay::{Quay, quay};
use crate::world::{World, declaration, soon};

#[pgq::task(concurrency = 1)]
async fn ebb() -> std::result::Result<(), BoxError> {
    Ok(())
}

#[pgq::task]
async fn flow(ctx: Context<Quay>) -> std::result::Result<(), BoxError> {
    ctx.tell(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_of_a_limit_is_heard_while_another_one_is_locked() {
    let world = World::postgres().await;
    let (quay, mut reports) = quay();
    let worker = quay.builder(&world.client, pgq::tasks![ebb, flow]).spawn().await.unwrap();
    world.client.set_limit(LimitRef::of::<flow>(), Allow::at_once(0)).await.unwrap();
    let tx = lock_limit(&world, "task:ebb").await;
    ebb::enqueue(&world.client, ()).await.unwrap();
    until_waits(&world, "and query like '%for update%'").await;
    flow::enqueue(&world.client, ()).await.unwrap();
    world.client.set_limit(LimitRef::of::<flow>(), Allow::everything()).await.unwrap();
    assert_eq!(soon("it runs while the other limit is locked", reports.recv()).await, Some(0));
    tx.rollback().await.unwrap();
    worker.stop().await.unwrap();
}

/// Lets whoever puts in a limit wait for this lock before his commit.
const DETAIN: &str = "
    create function detain() returns trigger language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(7);
        return null;
      end $$;
    create constraint trigger detain after insert on pgq.limit
        deferrable initially deferred for each row execute function detain()";

/// What the operator's transaction tells those who are there it doesn't hear.
#[tokio::test]
async fn a_worker_that_begins_while_a_limit_is_set_knows_of_it() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let _known = world.session_declaring(vec![declaration("flow", serde_json::json!({}))]).await.unwrap();
    sqlx::raw_sql(DETAIN).execute(pool).await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *tx).await.unwrap();
    let client = world.client.clone();
    let setting = tokio::spawn(async move { client.set_limit(LimitRef::of::<flow>(), Allow::at_once(1)).await });
    until_waits(&world, "").await;
    let session = world.session(&["flow"]).await.unwrap();
    let declaring = tokio::spawn({
        let session = Arc::clone(&session);
        let declared = Declared { tasks: vec!["flow".to_owned()], schedules: Vec::new(), limits: Vec::new() };
        async move { session.declare(declared).await }
    });
    let both = "select count(*) from (select from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock' offset 1) as second";
    until(&world, both).await;
    tx.rollback().await.unwrap();
    setting.await.unwrap().unwrap();
    declaring.await.unwrap().unwrap();
    let views = session.pools().await.unwrap();
    assert!(views.iter().any(|view| &*view.pool.limit == "task:flow" && view.portion.cap == Some(1)), "{views:?}");
}

/// Who asks for what is gone waits for his own row, and meanwhile it is set again.
#[tokio::test]
async fn of_a_limit_that_was_not_there_to_be_locked_nothing_is_read_or_written() {
    let world = World::postgres().await;
    let session = world.session_declaring(vec![declaration("flow", serde_json::json!({}))]).await.unwrap();
    let mut tx = world.client.pool().unwrap().begin().await.unwrap();
    let mine = sqlx::query("select from pgq.worker where id = $1 for update").bind(session.lease().0);
    mine.execute(&mut *tx).await.unwrap();
    let sharing = tokio::spawn(async move {
        let pool = PoolName { limit: "task:flow".into(), measure: Measure::Concurrency };
        session.share(vec![(pool, Ask { keep: u32::MAX, wish: 3, ..Ask::default() })]).await
    });
    until_waits(&world, "").await;
    world.client.set_limit(LimitRef::of::<flow>(), Allow::at_once(3)).await.unwrap();
    tx.rollback().await.unwrap();
    let portions = sharing.await.unwrap().unwrap();
    assert_eq!(portions[0].1, Portion::default(), "as it was when it asked: what was set since is told");
}
