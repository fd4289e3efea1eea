//! The user's own SQL in the transaction that completes the job.

use pgq::sqlx::{self, PgPool};
use pgq::testing::stepper;
use pgq::{Client, Context, JobId, State, Tx};
use pgq_testdb::Database;

use crate::world::installed;

#[pgq::task(retry = fixed("1h"))]
async fn pay(tx: &Tx, how: String) -> Result<(), pgq::BoxError> {
    sqlx::query("insert into ledger (entry) values ($1)").bind(&how).execute(&mut *tx.conn().await?).await?;
    match how.as_str() {
        "swallowed" => {
            let wrong = sqlx::query("insert into ledger (entry) values (null)").execute(&mut *tx.conn().await?).await;
            assert!(wrong.is_err());
        }
        "handed on" => {
            sqlx::query("insert into ledger (entry) values (null)").execute(&mut *tx.conn().await?).await?;
        }
        "cut off" => {
            let cut = "select pg_terminate_backend(pg_backend_pid())";
            assert!(sqlx::query(cut).execute(&mut *tx.conn().await?).await.is_err());
        }
        "undone in part" => {
            for part in ["savepoint part", "insert into ledger (entry) values ('part')", "rollback to part"] {
                sqlx::query(part).execute(&mut *tx.conn().await?).await?;
            }
        }
        "commit" | "rollback" | "commit and chain" | "commit; begin" => {
            sqlx::raw_sql(sqlx::AssertSqlSafe(how)).execute(&mut *tx.conn().await?).await?;
        }
        _ => {}
    }
    Ok(())
}

/// A ledger in which the deferred constraint is found broken by the commit alone.
async fn ledger() -> (Database, PgPool, Client) {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let ledger = "create table ledger (entry text not null unique deferrable initially deferred)";
    sqlx::query(ledger).execute(&pool).await.unwrap();
    (database, pool.clone(), Client::from_pool(pool).unwrap())
}

async fn entries(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select entry from ledger order by entry").fetch_all(pool).await.unwrap()
}

/// Runs one job; its state, and what its last failure said.
async fn run(client: &Client, how: &str) -> (State, String) {
    let id: JobId = pay::enqueue(client, how.to_owned()).await.unwrap().id();
    let mut worker = stepper(client, pgq::tasks![pay], ()).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    let job = client.get(id).await.unwrap().unwrap();
    let said = job.failures.last().map(|failure| format!("{}: {}", failure.message, failure.chain.join(": ")));
    (job.state, said.unwrap_or_default())
}

#[tokio::test]
async fn effects_of_ones_own_are_in_the_commit_that_completes_the_job() {
    let (_database, pool, client) = ledger().await;
    assert_eq!(run(&client, "once").await, (State::Completed, String::new()));
    assert_eq!(entries(&pool).await, ["once"]);
}

#[tokio::test]
async fn a_handler_that_swallows_an_error_of_the_database_has_failed_and_is_told_why() {
    let (_database, pool, client) = ledger().await;
    let (state, said) = run(&client, "swallowed").await;
    assert_eq!(state, State::Retryable);
    assert!(said.contains("a statement on the attempt's transaction failed"), "{said}");
    let (state, said) = run(&client, "handed on").await;
    assert_eq!(state, State::Retryable);
    assert!(said.contains("null value"), "{said}");
    assert_eq!(entries(&pool).await, [""; 0]);
}

#[tokio::test]
async fn a_handler_that_ends_the_transaction_of_its_attempt_has_failed_and_is_told_why() {
    let (_database, pool, client) = ledger().await;
    for how in ["commit", "commit and chain", "commit; begin", "rollback"] {
        let (state, said) = run(&client, how).await;
        assert_eq!(state, State::Retryable, "{how}");
        assert!(said.contains("the handler ended the attempt's transaction itself"), "{how}: {said}");
    }
    assert_eq!(entries(&pool).await, ["commit", "commit and chain", "commit; begin"], "what it committed itself");
}

#[tokio::test]
async fn a_handler_may_undo_a_part_by_a_savepoint() {
    let (_database, pool, client) = ledger().await;
    assert_eq!(run(&client, "undone in part").await, (State::Completed, String::new()));
    assert_eq!(entries(&pool).await, ["undone in part"]);
}

#[tokio::test]
async fn what_the_commit_refuses_is_a_failure_of_the_attempt() {
    let (_database, pool, client) = ledger().await;
    assert_eq!(run(&client, "once").await.0, State::Completed);
    let (state, said) = run(&client, "once").await;
    assert_eq!(state, State::Retryable);
    assert!(said.contains("duplicate key"), "{said}");
    assert_eq!(entries(&pool).await, ["once"]);
}

#[tokio::test]
async fn an_attempt_whose_connection_is_cut_off_has_failed() {
    let (_database, pool, client) = ledger().await;
    assert_eq!(run(&client, "cut off").await.0, State::Retryable);
    assert_eq!(entries(&pool).await, [""; 0]);
}

/// Its row is written while its transaction is open, as by who tells how far it has come.
#[pgq::task(retry = fixed("1h"))]
async fn overtaken(ctx: Context, tx: &Tx) -> Result<(), pgq::BoxError> {
    sqlx::query("insert into ledger (entry) values ('paid')").execute(&mut *tx.conn().await?).await?;
    let told = "update pgq.job set progress = 1, progress_total = 2, progress_at = now() where id = $1";
    sqlx::query(told).bind(ctx.job_id().0).execute(ctx.client().pool()?).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_written_of_an_attempt_while_it_runs_is_no_conflict_whatever_isolation_is_usual() {
    let (database, pool, _) = ledger().await;
    let usual = format!("alter database \"{}\" set default_transaction_isolation = 'repeatable read'", database.name());
    sqlx::raw_sql(sqlx::AssertSqlSafe(usual)).execute(&pool).await.unwrap();
    let client = Client::from_pool(database.pool().await.unwrap()).unwrap();
    let id = overtaken::enqueue(&client, ()).await.unwrap().id();
    let mut worker = stepper(&client, pgq::tasks![overtaken], ()).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert_eq!(client.get(id).await.unwrap().unwrap().state, State::Completed);
    assert_eq!(entries(&pool).await, ["paid"]);
}
