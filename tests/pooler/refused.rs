//! What a worker says that doesn't know of the pooler.

use pgq::{Client, Worker};

use super::bouncer;
use crate::program::{WORKER, assert_says, ending, program};
use crate::world::installed;

#[pgq::task]
async fn idle() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_not_poll_only_is_refused_before_it_claims() {
    let database = installed().await;
    let client = Client::from_pool(bouncer::pool(&database)).unwrap();
    for _ in 0..10 {
        let error = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![idle]).spawn().await.unwrap_err();
        assert!(error.is_setup(), "{error:?}");
    }
    let registered = pgq::sqlx::query("select from pgq.worker").execute(&database.pool().await.unwrap()).await.unwrap();
    assert_eq!(registered.rows_affected(), 0);
}

#[tokio::test]
async fn a_program_that_is_not_poll_only_ends_with_12_and_says_what_to_do() {
    let database = installed().await;
    let ending = ending(&mut program(WORKER, &["--database-url", &bouncer::url(&database), "--migrate"])).await;
    assert_says(&ending, 12, &["a pooler in transaction mode", "PgBouncer", "LISTEN", "--poll-only", "PGQ_POLL_ONLY"]);
}
