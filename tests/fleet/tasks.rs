//! The tasks, each with limits, which write down when they begin and end.

use std::time::{Duration, SystemTime};

use pgq::sqlx::{self, PgPool};
use pgq::{AnyJob, BoxError, Client, Context, Env, Resources, Worker};

/// Under which a worker writes down its runs.
pub(crate) const NAME: &str = "FLEET_WORKER";
/// For how long the workers may be silent: nobody waits for that here, as their connections are seen to end.
const LEASE: Duration = Duration::from_secs(5);

#[derive(pgq::Provide)]
pub(crate) struct Site {
    pool: PgPool,
}

impl Resources for Site {
    async fn init(env: &Env) -> pgq::Result<Self> {
        Ok(Self { pool: env.pool()?.clone() })
    }
}

impl Site {
    async fn run(&self, ctx: &Context<Self>, key: &str, span: u64) -> Result<(), BoxError> {
        // By the clock that the database goes by too, and before it waits for a connection.
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
        let begin = "insert into run (job, epoch, task, key, pid, begun) values ($1, $2, $3, $4, $5, to_timestamp($6))";
        let begin = sqlx::query(begin).bind(ctx.job_id().0).bind(ctx.fence()).bind(ctx.task()).bind(key);
        begin.bind(std::process::id().cast_signed()).bind(at).execute(&self.pool).await?;
        tokio::time::sleep(Duration::from_millis(span)).await;
        let end = "update run set ended = clock_timestamp() where job = $1 and epoch = $2";
        sqlx::query(end).bind(ctx.job_id().0).bind(ctx.fence()).execute(&self.pool).await?;
        Ok(())
    }
}

/// From 5 to 45 ms, different for each.
fn span(number: u64) -> u64 {
    (number * 7_919) % 40 + 5
}

#[pgq::task(name = "narrow", concurrency = 3)]
async fn narrow(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "serial", concurrency = 1)]
async fn serial(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "paced", rps = 40, burst = 5)]
async fn paced(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", number % 3).await
}

#[pgq::task(name = "tenants", limit(concurrency = 2, key = "tenant"))]
async fn tenants(ctx: Context<Site>, tenant: String, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, &tenant, span(number)).await
}

#[pgq::task(name = "accounts", limit(concurrency = 1, key = "account"))]
async fn accounts(ctx: Context<Site>, account: u64, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, &account.to_string(), span(number)).await
}

#[pgq::task(name = "hosts", limit(rps = 10, burst = 2, key = "host"))]
async fn hosts(ctx: Context<Site>, host: u64, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, &host.to_string(), number % 3).await
}

/// Shares a limit with the next one, and has one of its own.
#[pgq::task(name = "print", concurrency = 4, limit(name = "press", concurrency = 5))]
async fn print(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "bind", limit(name = "press", concurrency = 5))]
async fn bind(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

/// As much as the limits let through in about the span.
pub(crate) async fn enqueue(client: &Client, span: Duration) -> pgq::Result<()> {
    for second in 0..span.as_secs() {
        let mut jobs: Vec<AnyJob> = Vec::new();
        let numbers = |count: u64| second * count..(second + 1) * count;
        jobs.extend(numbers(60).map(|number| narrow::job(number).into()));
        jobs.extend(numbers(20).map(|number| serial::job(number).into()));
        jobs.extend(numbers(30).map(|number| paced::job(number).into()));
        jobs.extend(
            numbers(60).map(|number| tenants::job(TenantsArgs { tenant: format!("t{}", number % 5), number }).into()),
        );
        jobs.extend(numbers(60).map(|number| accounts::job(AccountsArgs { account: number % 7, number }).into()));
        jobs.extend(numbers(15).map(|number| hosts::job(HostsArgs { host: number % 3, number }).into()));
        jobs.extend(numbers(40).map(|number| print::job(number).into()));
        jobs.extend(numbers(40).map(|number| bind::job(number).into()));
        pgq::enqueue_many(client, jobs).await?;
    }
    Ok(())
}

/// A worker until it is killed.
pub(crate) async fn run_worker(url: &str) -> anyhow::Result<()> {
    let client = Client::builder()?.connect(Some(url)).await?;
    let tasks = pgq::tasks![narrow, serial, paced, tenants, accounts, hosts, print, bind];
    Worker::<Site>::builder()
        .client(client)
        .tasks(tasks)
        .slots(10)
        .lease(LEASE)
        .spawn()
        .await?
        .until_terminated()
        .await?;
    Ok(())
}
