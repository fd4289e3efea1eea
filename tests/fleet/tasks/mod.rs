//! The tasks, each with limits, which write down when they begin and end: in two versions of the code.

mod feed;
mod first;
mod second;

use std::time::{Duration, SystemTime};

use pgq::sqlx::{self, PgPool};
use pgq::{BoxError, Client, Context, Env, Resources, Worker};

pub(crate) use feed::Feed;

/// For how long the workers may be silent: who is killed is seen to be gone before, and who is stopped isn't.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// For how long one that is told to end lets attempts go on: long ones are told to end then.
const DRAIN: Duration = Duration::from_millis(300);

/// Which code a worker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    First,
    Second,
}

impl Version {
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    pub(crate) const fn read(number: i32) -> Self {
        if number == 1 { Self::First } else { Self::Second }
    }
}

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
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(span)) => {}
            () = ctx.cancelled() => {}
        }
        let end = "update run set ended = clock_timestamp() where job = $1 and epoch = $2";
        sqlx::query(end).bind(ctx.job_id().0).bind(ctx.fence()).execute(&self.pool).await?;
        Ok(())
    }
}

/// From 15 to 75 ms, different for each.
fn span(number: u64) -> u64 {
    (number * 7_919) % 60 + 15
}

/// One in five does.
fn fail_at_first(ctx: &Context<Site>, number: u64) -> Result<(), BoxError> {
    if number.is_multiple_of(5) && ctx.attempt() == 1 {
        return Err("at first it doesn't work".into());
    }
    Ok(())
}

/// A worker until it is killed, or told to end.
pub(crate) async fn run_worker(url: &str, version: Version) -> anyhow::Result<()> {
    let client = Client::builder()?.connect(Some(url)).await?;
    let tasks = match version {
        Version::First => first::all(),
        Version::Second => second::all(),
    };
    let worker = Worker::<Site>::builder().client(client).tasks(tasks).slots(10).lease(LEASE).drain_timeout(DRAIN);
    worker.spawn().await?.until_terminated().await?;
    Ok(())
}
