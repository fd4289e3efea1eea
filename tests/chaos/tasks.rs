//! What the jobs of the chaos run do: each run is written down.

use std::time::{Duration, SystemTime};

use pgq::sqlx::{self, PgPool};
use pgq::{BoxError, Client, Context, Env, Next, Outcome, Resources, Tx, Worker};

/// Under which a worker writes down its runs.
pub(crate) const NAME: &str = "CHAOS_WORKER";
/// For how many seconds a worker may be silent.
pub(crate) const LEASE: &str = "CHAOS_LEASE";

#[derive(pgq::Provide)]
pub(crate) struct Site {
    pool: PgPool,
    worker: String,
}

impl Resources for Site {
    async fn init(env: &Env) -> pgq::Result<Self> {
        Ok(Self { pool: env.pool()?.clone(), worker: std::env::var(NAME).unwrap_or_default() })
    }
}

tokio::task_local! {
    /// When the attempt began, on the clock that the server goes by too.
    static BEGUN: SystemTime;
}

/// Takes note of when an attempt begins, before it waits for a connection: an outage may last until after its successor has
/// begun.
async fn note_begin(_: Context, next: Next) -> Outcome {
    BEGUN.scope(SystemTime::now(), next.run()).await
}

impl Site {
    async fn begin(&self, ctx: &Context<Self>) -> Result<(), BoxError> {
        let begun = BEGUN.get().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
        let run = "insert into run (job, epoch, worker, crashes, begun) values ($1, $2, $3, $4, to_timestamp($5))";
        let run = sqlx::query(run).bind(ctx.job_id().0).bind(ctx.fence()).bind(&self.worker);
        run.bind(i32::from(ctx.crashes())).bind(begun).execute(&self.pool).await?;
        Ok(())
    }

    async fn end(&self, ctx: &Context<Self>) -> Result<(), BoxError> {
        let run = "update run set ended = clock_timestamp() where job = $1 and epoch = $2";
        sqlx::query(run).bind(ctx.job_id().0).bind(ctx.fence()).execute(&self.pool).await?;
        Ok(())
    }
}

/// From 1 to 40 ms, different for each; every fiftieth takes two seconds, so that somebody else may run it too when its worker
/// comes back.
async fn work(nth: i64) {
    let span = if nth % 50 == 3 { 2_000 } else { (nth.unsigned_abs() * 7_919) % 40 + 1 };
    tokio::time::sleep(Duration::from_millis(span)).await;
}

/// Fails at first now and then.
#[pgq::task(name = "chaos.plain", retry = fixed("200ms", attempts = 1_000))]
pub(crate) async fn plain(ctx: Context<Site>, nth: i64) -> Result<(), BoxError> {
    ctx.begin(&ctx).await?;
    work(nth).await;
    if nth % 7 == 0 && ctx.attempt() == 1 {
        Err("not the first time")?;
    }
    ctx.end(&ctx).await
}

/// Has an effect in the transaction that completes it, and leaves a job behind there.
#[pgq::task(name = "chaos.paid", retry = fixed("200ms", attempts = 1_000))]
pub(crate) async fn paid(ctx: Context<Site>, tx: &Tx, nth: i64) -> Result<(), BoxError> {
    ctx.begin(&ctx).await?;
    let effect = sqlx::query("insert into effect (job) values ($1)").bind(ctx.job_id().0);
    effect.execute(&mut *tx.conn().await?).await?;
    receipt::enqueue(tx, ctx.job_id().0).await?;
    work(nth).await;
    ctx.end(&ctx).await
}

/// Of a job that was paid.
#[pgq::task(name = "chaos.receipt", retry = fixed("200ms", attempts = 1_000))]
async fn receipt(ctx: Context<Site>, paid: i64) -> Result<(), BoxError> {
    ctx.begin(&ctx).await?;
    let receipt = sqlx::query("insert into receipt (job, paid) values ($1, $2) on conflict do nothing");
    receipt.bind(ctx.job_id().0).bind(paid).execute(&ctx.pool).await?;
    ctx.end(&ctx).await
}

/// A worker until it is told to end, or worse.
pub(crate) async fn run_worker(url: &str) -> anyhow::Result<()> {
    let client = Client::builder()?.connect(Some(url)).await?;
    let builder = Worker::<Site>::builder().client(client).tasks(pgq::tasks![plain, paid, receipt]);
    let lease = Duration::from_secs(std::env::var(LEASE)?.parse()?);
    builder.slots(8).lease(lease).layer(note_begin).spawn().await?.until_terminated().await?;
    Ok(())
}
