//! What it costs to enqueue where nobody has to be woken, and who finds what nobody was woken for.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Lease, Registration, Session, Uuid};
use pgq::sqlx::postgres::PgPoolOptions;
use pgq::sqlx::{self, PgPool};
use pgq::{Client, State, Worker};

use crate::world::{SPAN, World, installed, want};

#[pgq::task]
async fn listen_in() -> Result<(), pgq::BoxError> {
    Ok(())
}

/// A worker's session that may fall asleep, by the database's own clock.
async fn sleeper(client: &Client) -> Arc<dyn Session> {
    let (instance, host, wants) = (Uuid::nil(), "test".to_owned(), vec![want("default", "listen_in", 9)]);
    let (lease, tasks) = (Lease(7), Vec::new());
    let worker = Registration { lease, instance, host, pid: 1, span: SPAN, synchronous_commit: false, wants, tasks };
    client.backend().register(worker).await.unwrap()
}

/// Until an enqueue wakes nobody: one that took long looks once more for who sleeps, as on a busy machine many do.
async fn wakes_nobody(client: &Client, watching: &PgPool) {
    let quiet = async { while wakes_once(client, watching).await {} };
    tokio::time::timeout(Duration::from_secs(20), quiet).await.expect("an enqueue is one statement");
}

/// Enqueues, and answers whether the last statement of the pool's only connection woke somebody.
async fn wakes_once(client: &Client, watching: &PgPool) -> bool {
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(client.pool().unwrap()).await.unwrap();
    listen_in::enqueue(client, ()).await.unwrap();
    let last = sqlx::query_scalar("select query from pg_stat_activity where pid = $1").bind(pid);
    let last: String = last.fetch_one(watching).await.unwrap();
    !last.contains("insert into")
}

#[tokio::test]
async fn an_enqueue_is_one_statement_while_workers_are_awake() {
    let database = installed().await;
    let watching = database.pool().await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(database.options()).await.unwrap();
    let client = Client::builder().unwrap().pool(pool);
    let session = sleeper(&Client::builder().unwrap().pool(watching.clone())).await;
    wakes_nobody(&client, &watching).await;
    session.doze(Some(Duration::from_mins(5))).await.unwrap();
    for _ in 0..50 {
        assert!(wakes_once(&client, &watching).await, "it sleeps");
    }
    session.doze(None).await.unwrap();
    wakes_nobody(&client, &watching).await;
}

#[tokio::test]
async fn what_was_in_flight_when_a_worker_fell_asleep_is_found_soon() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let builder = Worker::<()>::builder().client(world.client.clone()).tasks(pgq::tasks![listen_in]);
    let worker = builder.spawn().await.unwrap();
    let asleep = async {
        let query = "select exists (select from pgq.sleeper where asleep)";
        while !sqlx::query_scalar::<_, bool>(query).fetch_one(pool).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asleep).await.expect("it falls asleep");
    // As by somebody who saw nobody asleep.
    let mut tx = pool.begin().await.unwrap();
    let quiet = "update pgq.sleeper set asleep = false";
    sqlx::query(quiet).execute(&mut *tx).await.unwrap();
    let id = listen_in::enqueue(&mut tx, ()).await.unwrap().id();
    sqlx::query("update pgq.sleeper set asleep = true").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    // Less than the second between two looks; in steps, as nobody tells from when on it waits.
    for _ in 0..9 {
        world.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let completed = async {
        while world.state(id).await.unwrap() != State::Completed {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), completed).await.expect("it is found");
    worker.stop().await.unwrap();
}
