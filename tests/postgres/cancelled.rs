//! What is left of a call that its caller gives up half-way: a `select!`, a timeout.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use pgq::sqlx::{self, PgPool};
use pgq::{Client, JobId};
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Notify;

use crate::world::installed;

#[pgq::task(unique = "key")]
async fn touch() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task]
async fn touch_again() -> Result<(), pgq::BoxError> {
    Ok(())
}

/// Told when a call can go on: the server's answer to its step is there.
#[derive(Default)]
struct Answered(Notify);

impl Wake for Answered {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Polls a call so often, each time when it can go on, and drops it; whether it had ended before.
async fn give_up<F: Future>(call: F, polls: usize) -> bool {
    let answered = Arc::<Answered>::default();
    let waker = Waker::from(Arc::clone(&answered));
    let mut call = pin!(call);
    for _ in 0..polls {
        if call.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
        tokio::time::timeout(Duration::from_secs(20), answered.0.notified()).await.expect("it goes on");
    }
    false
}

/// Gives a call up after each of its steps, and sees each time that a write on the pool's one connection stays.
async fn writes_stay<F: Future>(call: impl Fn() -> F, pool: &PgPool, other: &PgPool) {
    let mut polls = 0;
    while !give_up(call(), polls).await {
        sqlx::query("insert into probe values (1)").execute(pool).await.unwrap();
        let gone = sqlx::query("delete from probe").execute(other).await.unwrap().rows_affected();
        assert_eq!(gone, 1, "written after step {polls}, and committed");
        polls += 1;
        assert!(polls < 1_000, "the call ends");
    }
    assert!(polls > 0, "there are steps to give up at");
}

#[tokio::test]
async fn a_call_that_is_given_up_while_it_begins_swallows_no_later_write() {
    let database = installed().await;
    let other = database.pool().await.unwrap();
    sqlx::query("create table probe (step bigint)").execute(&other).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(database.options()).await.unwrap();
    let client = Client::from_pool(pool.clone()).unwrap();
    writes_stay(|| client.retry(JobId(1)), &pool, &other).await;
    writes_stay(|| async { client.jobs().list().await }, &pool, &other).await;
    writes_stay(|| touch::enqueue(&client, ()), &pool, &other).await;
    writes_stay(|| async { client.begin().await.unwrap().commit().await }, &pool, &other).await;
    let enqueue = || async {
        let tx = client.begin().await.unwrap();
        touch_again::enqueue(&tx, ()).await.unwrap();
        tx.commit().await
    };
    writes_stay(enqueue, &pool, &other).await;
}
