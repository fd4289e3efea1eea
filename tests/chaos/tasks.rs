//! What the jobs of the chaos run do: each run is written down.

use std::time::{Duration, SystemTime};

use pgq::sqlx::{self, PgPool};
use pgq::{BoxError, Client, Context, Env, Next, Outcome, Resources, Tx, Worker};

/// Under which a worker writes down its runs.
pub(crate) const NAME: &str = "CHAOS_WORKER";
/// For how many seconds a worker may be silent.
pub(crate) const LEASE: &str = "CHAOS_LEASE";
/// Which a worker has that is poll-only.
pub(crate) const POLL_ONLY: &str = "CHAOS_POLL_ONLY";

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
        self.note(ctx, None).await
    }

    /// With the lease that holds the job, if that is this worker's.
    async fn note(&self, ctx: &Context<Self>, key: Option<&str>) -> Result<(), BoxError> {
        let begun = BEGUN.get().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
        let run = "
            insert into run (job, epoch, worker, crashes, begun, task, key, noted, lease)
            values ($1, $2, $3, $4, to_timestamp($5), $6, $7, clock_timestamp(),
                    (select worker.id from pgq.job join pgq.worker on worker.id = job.lease
                     where job.id = $1 and job.epoch = $2 and worker.pid = $8))";
        let run = sqlx::query(run).bind(ctx.job_id().0).bind(ctx.fence()).bind(&self.worker);
        let run = run.bind(i32::from(ctx.crashes())).bind(begun).bind(ctx.task()).bind(key);
        run.bind(std::process::id().cast_signed()).execute(&self.pool).await?;
        Ok(())
    }

    async fn end(&self, ctx: &Context<Self>) -> Result<(), BoxError> {
        let run = "update run set ended = clock_timestamp()
                   where job = $1 and epoch = $2 and worker = $3 and ended is null";
        sqlx::query(run).bind(ctx.job_id().0).bind(ctx.fence()).bind(&self.worker).execute(&self.pool).await?;
        Ok(())
    }

    /// What a limit counts: an attempt that takes note of its end, however long that takes, as it runs until it has.
    async fn limited(&self, ctx: &Context<Self>, key: &str, nth: i64) -> Result<(), BoxError> {
        let (pool, worker) = (self.pool.clone(), self.worker.clone());
        let _left = Left { pool, job: ctx.job_id().0, epoch: ctx.fence(), worker };
        self.note(ctx, Some(key)).await?;
        work(nth).await;
        while self.end(ctx).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// Writes down when an attempt was left, also where it was told to end and dropped: another one may begin from then on, before
/// that it failed is written. That it began may not be written yet, where the server holds up the commit.
struct Left {
    pool: PgPool,
    job: i64,
    epoch: i64,
    worker: String,
}

impl Drop for Left {
    fn drop(&mut self) {
        let (pool, job, epoch, worker) = (self.pool.clone(), self.job, self.epoch, std::mem::take(&mut self.worker));
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        tokio::spawn(async move {
            let left = "insert into departure (job, epoch, worker, at) values ($1, $2, $3, to_timestamp($4))";
            while sqlx::query(left).bind(job).bind(epoch).bind(&worker).bind(at).execute(&pool).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
}

/// From 1 to 40 ms, different for each; every fiftieth takes two seconds, so that somebody else may run it too when its worker
/// comes back.
async fn work(nth: i64) {
    let span = if nth % 50 == 3 { 2_000 } else { (nth.unsigned_abs() * 7_919) % 40 + 1 };
    tokio::time::sleep(Duration::from_millis(span)).await;
}

/// Fails at first now and then, of those that take long every other one: somebody else may run it by then.
#[pgq::task(name = "chaos.plain", retry = fixed("200ms", attempts = 1_000))]
pub(crate) async fn plain(ctx: Context<Site>, nth: i64) -> Result<(), BoxError> {
    ctx.begin(&ctx).await?;
    work(nth).await;
    if (nth % 7 == 0 || nth % 100 == 53) && ctx.attempt() == 1 {
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

#[pgq::task(name = "chaos.narrow", concurrency = 3, retry = fixed("200ms", attempts = 1_000))]
pub(crate) async fn narrow(ctx: Context<Site>, nth: i64) -> Result<(), BoxError> {
    ctx.limited(&ctx, "", nth).await
}

#[pgq::task(name = "chaos.tenants", limit(concurrency = 2, key = "tenant"), retry = fixed("200ms", attempts = 1_000))]
pub(crate) async fn tenants(ctx: Context<Site>, tenant: String, nth: i64) -> Result<(), BoxError> {
    ctx.limited(&ctx, &tenant, nth).await
}

#[pgq::task(name = "chaos.accounts", limit(concurrency = 1, key = "account"), retry = fixed("200ms", attempts = 1_000))]
pub(crate) async fn accounts(ctx: Context<Site>, account: i64, nth: i64) -> Result<(), BoxError> {
    ctx.limited(&ctx, &account.to_string(), nth).await
}

/// A worker until it is told to end, or worse.
pub(crate) async fn run_worker(url: &str) -> anyhow::Result<()> {
    let builder = Client::builder()?;
    let is_poll_only = std::env::var_os(POLL_ONLY).is_some();
    let client = if is_poll_only { builder.poll_only() } else { builder }.connect(Some(url)).await?;
    let tasks = pgq::tasks![plain, paid, receipt, narrow, tenants, accounts];
    let builder = Worker::<Site>::builder().client(client).tasks(tasks);
    let lease = Duration::from_secs(std::env::var(LEASE)?.parse()?);
    builder.slots(8).lease(lease).layer(note_begin).spawn().await?.until_terminated().await?;
    Ok(())
}
