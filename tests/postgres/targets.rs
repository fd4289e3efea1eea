//! Every place that a job can be enqueued on.

use std::time::Duration;

use pgq::backend::{Notice, Registration, Session};
use pgq::sqlx::postgres::PgPoolOptions;
use pgq::sqlx::{self, Acquire, Connection, PgConnection, PgPool};
use pgq::{Client, JobId, Result, enqueue_many};

use crate::world::{installed, notice, want};

#[pgq::task]
async fn touch(number: u32) -> std::result::Result<(), pgq::BoxError> {
    let _ = number;
    Ok(())
}

async fn jobs(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from pgq.job").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_pool_is_a_target() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    touch::enqueue(&pool, 1).await.unwrap();
    touch::job(2).enqueue(&pool).await.unwrap();
    touch::enqueue_many(&pool, [3, 4]).await.unwrap();
    enqueue_many(&pool, [touch::job(5).into()]).await.unwrap();
    assert_eq!(jobs(&pool).await, 5);
}

#[tokio::test]
async fn a_connection_is_a_target() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let mut pooled = pool.acquire().await.unwrap();
    touch::enqueue(&mut pooled, 1).await.unwrap();
    touch::enqueue(&mut *pooled, 2).await.unwrap();
    let mut own = PgConnection::connect_with(&database.options()).await.unwrap();
    touch::enqueue(&mut own, 3).await.unwrap();
    assert_eq!(jobs(&pool).await, 3);
}

#[tokio::test]
async fn a_job_lives_and_dies_with_the_callers_transaction() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    for commit in [false, true] {
        let mut tx = pool.begin().await.unwrap();
        touch::enqueue(&mut tx, 1).await.unwrap();
        enqueue_in(&mut tx).await.unwrap();
        if commit {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
        assert_eq!(jobs(&pool).await, if commit { 2 } else { 0 });
    }
}

/// Where the transaction is a reference already.
async fn enqueue_in(tx: &mut sqlx::Transaction<'_, sqlx::Postgres>) -> Result<JobId> {
    Ok(touch::enqueue(&mut *tx, 2).await?.id())
}

#[tokio::test]
async fn a_savepoint_takes_its_jobs_with_it() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    touch::enqueue(&mut tx, 1).await.unwrap();
    let mut savepoint = tx.begin().await.unwrap();
    touch::enqueue(&mut savepoint, 2).await.unwrap();
    savepoint.rollback().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(jobs(&pool).await, 1);
}

#[tokio::test]
async fn jobs_and_sql_of_ones_own_share_a_transaction() {
    let database = installed().await;
    let client = Client::connect(database.url()).await.unwrap();
    let pool = client.pool().unwrap();
    sqlx::query("create table orders (id int)").execute(pool).await.unwrap();
    for commit in [false, true] {
        let tx = client.begin().await.unwrap();
        touch::enqueue(&tx, 1).await.unwrap();
        sqlx::query("insert into orders values (1)").execute(&mut *tx.conn().await.unwrap()).await.unwrap();
        touch::enqueue(&tx, 2).await.unwrap();
        if commit {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
        let orders: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(pool).await.unwrap();
        assert_eq!((jobs(pool).await, orders), if commit { (2, 1) } else { (0, 0) });
    }
}

#[tokio::test]
async fn a_clients_namespace_holds_on_a_connection_of_ones_own() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let client = Client::builder().unwrap().namespace("elsewhere", "x_").unwrap().pool(pool.clone());
    client.migrate().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let id = touch::enqueue(client.on(&mut tx), 1).await.unwrap().id();
    tx.commit().await.unwrap();
    assert!(client.get(id).await.unwrap().is_some());
    assert_eq!(jobs(&pool).await, 0);
}

/// A sleeper that can run `touch`.
async fn sleeper(client: &Client) -> std::sync::Arc<dyn Session> {
    let worker = Registration {
        lease: pgq::backend::Lease(7),
        instance: pgq::backend::Uuid::nil(),
        host: String::new(),
        pid: 1,
        span: Duration::from_mins(1),
        synchronous_commit: false,
        wants: vec![want("default", "touch", 1)],
        tasks: Vec::new(),
    };
    let session = client.backend().register(worker).await.unwrap();
    session.doze(Some(Duration::from_mins(1))).await.unwrap();
    session
}

#[tokio::test]
async fn the_callers_commit_wakes_a_sleeper() {
    let database = installed().await;
    let client = Client::connect(database.url()).await.unwrap();
    let session = sleeper(&client).await;
    let mut pulse = session.attend().await.unwrap();
    let mut tx = client.pool().unwrap().begin().await.unwrap();
    touch::enqueue(&mut tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(notice(&mut pulse).await, Notice { work: true, soon: false, told: false, limits: false });
}

/// It has no other connection yet, and the one of the transaction is on its way back.
#[tokio::test]
async fn a_clients_commit_wakes_a_sleeper_however_long_it_takes_to_connect() {
    let database = installed().await;
    let slow = PgPoolOptions::new().after_connect(|_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(())
        })
    });
    let client = Client::from_pool(slow.connect_with(database.options()).await.unwrap()).unwrap();
    let session = sleeper(&client).await;
    let mut pulse = session.attend().await.unwrap();
    let tx = client.begin().await.unwrap();
    touch::enqueue(&tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(notice(&mut pulse).await, Notice { work: true, soon: false, told: false, limits: false });
}

#[tokio::test]
async fn an_old_snapshot_wakes_also_who_fell_asleep_after_it() {
    let database = installed().await;
    let client = Client::connect(database.url()).await.unwrap();
    let session = sleeper(&client).await;
    let mut pulse = session.attend().await.unwrap();
    session.doze(None).await.unwrap();
    let mut tx = client.pool().unwrap().begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx).await.unwrap();
    sqlx::query("select 1 from pgq.job").execute(&mut *tx).await.unwrap();
    session.doze(Some(Duration::from_mins(1))).await.unwrap();
    touch::enqueue(&mut tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(notice(&mut pulse).await, Notice { work: true, soon: false, told: false, limits: false });
}

#[tokio::test]
async fn memory_refuses_sql_and_says_why() {
    let database = installed().await;
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    let client = Client::memory();
    let tx = client.begin().await.unwrap();
    for error in [
        tx.conn().await.map(drop).unwrap_err(),
        client.pool().map(drop).unwrap_err(),
        touch::enqueue(client.on(&mut connection), 1).await.map(drop).unwrap_err(),
    ] {
        assert!(error.is_unsupported() && error.to_string().contains("no SQL"), "{error}");
    }
}
