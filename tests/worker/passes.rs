//! What attempts hold of limits with a key when they end, while handlers use up the client's pool.

use std::sync::Arc;
use std::time::Duration;

use pgq::sqlx::postgres::PgPoolOptions;
use pgq::{BoxError, Client, Context, Env, Error, Resources, Result, Worker};
use tokio::sync::{Semaphore, mpsc};

use crate::world::installed;

/// Where handlers say that they run, and stay until they are let go.
#[derive(Clone, pgq::Provide)]
struct Office {
    told: mpsc::UnboundedSender<&'static str>,
    sealed: Arc<Semaphore>,
    #[provide(skip)]
    filed: Arc<Semaphore>,
}

impl Resources for Office {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("this test hands its own over"))
    }
}

#[pgq::task(limit(name = "desk-of", concurrency = 1, key = "who"))]
async fn seal(ctx: Context<Office>, _tx: &pgq::Tx, who: String, page: u32) -> std::result::Result<(), BoxError> {
    let _ = (who, page);
    ctx.told.send("seal")?;
    ctx.sealed.acquire().await?.forget();
    Ok(())
}

#[pgq::task(limit(name = "desk-of", concurrency = 1, key = "who"))]
async fn initial(ctx: Context<Office>, who: String, page: u32) -> std::result::Result<(), BoxError> {
    let _ = (who, page);
    Ok(ctx.told.send("initial")?)
}

#[pgq::task]
async fn file(ctx: Context<Office>, _tx: &pgq::Tx) -> std::result::Result<(), BoxError> {
    ctx.told.send("file")?;
    ctx.filed.acquire().await?.forget();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_completes_in_the_attempts_transaction_leaves_its_limits_though_the_pool_has_no_connection() -> Result<()> {
    let database = installed().await;
    let client = Client::from_pool(database.pool().await.unwrap())?;
    let narrow = PgPoolOptions::new().max_connections(1).connect_with(database.options()).await?;
    let (told, mut begun) = mpsc::unbounded_channel();
    let office = Office { told, sealed: Arc::new(Semaphore::new(0)), filed: Arc::new(Semaphore::new(0)) };
    let builder = Worker::builder().client(Client::from_pool(narrow)?).tasks(pgq::tasks![seal, initial, file]);
    let worker = builder.resources(office.clone()).spawn().await?;
    let mut next =
        async || tokio::time::timeout(Duration::from_secs(20), begun.recv()).await.expect("another one begins");
    seal::enqueue(&client, SealArgs { who: "kim".to_owned(), page: 1 }).await?;
    assert_eq!(next().await, Some("seal"));
    // Has won its job, and waits for the only connection.
    let filed = file::enqueue(&client, ()).await?;
    while client.get(filed.id()).await?.is_none_or(|job| job.attempt == 0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    initial::enqueue(&client, InitialArgs { who: "kim".to_owned(), page: 1 }).await?;
    office.sealed.add_permits(1);
    let mut both = [next().await, next().await];
    both.sort_unstable();
    assert_eq!(both, [Some("file"), Some("initial")]);
    office.filed.add_permits(1);
    worker.stop().await
}
