//! A drain of our own jobs, in a database of its own, and what may stand beside them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgq::{Client, Task, Worker};
use pgq_benches::own;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, PgPool};

use crate::bench::Bench;
use crate::counts::Cost;
use crate::database::client;
use crate::figures::per_second;
use crate::load::{self, App, Meter};
use crate::many;
use crate::payload;

/// A drain that is to be measured.
pub(crate) struct Drain<'b> {
    pub(crate) bench: &'b Bench<'b>,
    /// How many jobs are drained.
    pub(crate) jobs: u32,
    /// The bytes of each one's payload.
    pub(crate) payload: usize,
    /// Each has a unique key.
    pub(crate) unique: bool,
    /// Over what they are spread.
    pub(crate) spread: Spread,
    /// How many rows of history they leave.
    pub(crate) kept: u32,
    /// SQL that fills in what stands beside them.
    pub(crate) beside: Option<String>,
    /// Its claims and ends wait for the disk.
    pub(crate) synchronous: bool,
    /// A transaction that sees the queue as it was before stays open.
    pub(crate) snapshot: bool,
}

/// Over what jobs may be spread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// One queue and one task.
    Nothing,
    /// So many queues.
    Queues(u32),
    /// A hundred tasks.
    Tasks,
}

/// What a drain took.
pub(crate) struct Drained {
    /// Jobs a second.
    pub(crate) rate: f64,
    /// Of a job; `None` where the server doesn't count.
    pub(crate) cost: Option<Cost>,
}

impl<'b> Drain<'b> {
    /// Of as many jobs as a round has, which leave nothing behind.
    pub(crate) fn of(bench: &'b Bench<'b>) -> Self {
        let (jobs, payload, unique, synchronous) = (bench.jobs, payload::BYTES, false, false);
        Self {
            bench,
            jobs,
            payload,
            unique,
            spread: Spread::Nothing,
            kept: 0,
            beside: None,
            synchronous,
            snapshot: false,
        }
    }

    pub(crate) async fn run<T: Task<Args = String>>(&self) -> Result<Drained> {
        let fresh = self.bench.server.fresh().await?;
        let pool = fresh.pool(2).await?;
        let client = client(&pool)?;
        if let Some(beside) = &self.beside {
            sqlx::raw_sql(AssertSqlSafe(beside.clone())).execute(&pool).await?;
        }
        let last = self.fill::<T>(&client).await?;
        let standing = self.standing(&pool).await?;
        settle(&pool).await?;
        let mut old = PgConnection::connect_with(fresh.options()).await?;
        if self.snapshot {
            sqlx::raw_sql("begin isolation level repeatable read; select from pgq.job limit 1")
                .execute(&mut old)
                .await?;
        }

        let before = Cost::read(&pool).await?;
        let meter = Meter::new(self.jobs);
        let worker = self.worker::<T>(client, &meter).await?;
        let start = Instant::now();
        meter.all().await;
        written(&pool, last - i64::from(self.jobs.min(10_000)) + 1, last).await?;
        let rate = per_second(self.jobs, start.elapsed());
        let after = Cost::read(&pool).await?;

        worker.stop().await?;
        old.close().await?;
        let (left, kept) = self.standing(&pool).await?;
        ensure!(left == standing.0 - i64::from(self.jobs), "expected the drain to take its own jobs, got {left} left");
        ensure!(kept == standing.1 + i64::from(self.kept), "expected {} rows of history, got {kept}", self.kept);
        pool.close().await;
        fresh.drop().await?;
        let cost = before.zip(after).map(|(before, after)| after.since(&before, self.jobs.into()));
        Ok(Drained { rate, cost })
    }

    /// How many jobs there are, and how many rows of history.
    async fn standing(&self, pool: &PgPool) -> Result<(i64, i64)> {
        let query = own!("select (select count(*) from pgq.job), (select count(*) from pgq.history)");
        Ok(sqlx::query_as(query).fetch_one(pool).await?)
    }

    async fn fill<T: Task<Args = String>>(&self, client: &Client) -> Result<i64> {
        let job = |number: u32| {
            if self.spread == Spread::Tasks {
                return many::job(number, self.payload);
            }
            let job = load::job::<T>(number, self.payload).queue(queue(number % self.queues()));
            if self.unique { job.unique(number.to_string()).into() } else { job.into() }
        };
        load::fill_with(client, self.jobs, job).await
    }

    fn queues(&self) -> u32 {
        if let Spread::Queues(count) = self.spread { count } else { 1 }
    }

    async fn worker<T: Task<Args = String>>(&self, client: Client, meter: &Meter) -> Result<Worker<App>> {
        let app = App { meter: meter.clone(), ..App::silent() };
        let tasks = if self.spread == Spread::Tasks { many::NAMES } else { &[T::NAME, <load::hog as Task>::NAME] };
        let builder = Worker::builder().client(client).only(tasks.iter().copied()).tasks_only();
        let builder = builder.queues((0..self.queues()).map(queue)).slots(self.bench.slots);
        let builder = if self.synchronous { builder.synchronous_commit() } else { builder };
        builder.drain_timeout(Duration::ZERO).resources(app).spawn().await.context("the worker can't start")
    }
}

fn queue(number: u32) -> String {
    if number == 0 { "default".to_owned() } else { format!("queue-{number}") }
}

/// As a queue is some time after it was filled, on any day: on disk, looked through by autovacuum, which would come in the middle
/// of one drain and not of another, and by the fleet, which looks through all jobs for lost leases once a minute.
async fn settle(pool: &PgPool) -> Result<()> {
    sqlx::raw_sql(own!("vacuum analyze pgq.job")).execute(pool).await?;
    sqlx::raw_sql(own!("insert into pgq.chore values ('sweep', clock_timestamp())")).execute(pool).await?;
    // Where this may be asked for.
    let _ = sqlx::query(own!("checkpoint")).execute(pool).await;
    Ok(())
}

/// Waits until the last ends are written too. Looks at the end of the queue only: a look at all of it would cost more
/// than the writes.
async fn written(pool: &PgPool, first: i64, last: i64) -> Result<()> {
    let query = own!("select exists (select from pgq.job where id between $1 and $2)");
    while sqlx::query_scalar(query).bind(first).bind(last).fetch_one(pool).await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
