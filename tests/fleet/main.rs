//! Eight worker processes, limits on their tasks, and a hand that kills and replaces workers all the while; then the accounts.
//!
//! ```text
//! cargo run --release --bin fleet -- --seconds 60 --seed 7
//! ```
//!
//! Every attempt is written down when it begins and when it ends, by the database's clock. It ends with 1 where at any moment more
//! attempts ran than a limit allows, where in any window more began than a rate allows, where jobs of one serial key overtook
//! each other, or where a job is left behind. An attempt of a worker that was killed ends with its process.
//!
//! That it would notice is shown by breaking what it watches: without `for update` in `lock_gates.sql`, or with `for update` taken
//! out of `lock_limits.sql`, it ends with violations.

#[path = "../asked.rs"]
mod asked;
mod ledger;
#[path = "../peaks.rs"]
mod peaks;
mod tasks;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use lexopt::ValueExt as _;
use pgq::Client;
use pgq::sqlx::{self, PgPool};
use pgq_testdb::{Options, Server};

use crate::asked::Chance;

/// How many workers there are at a time.
const WORKERS: usize = 8;
/// For how long no job may end once nobody is killed any more: however slow the machine, it gets on.
const STUCK: Duration = Duration::from_mins(2);

const HELP: &str = "\
Kills and replaces workers whose tasks have limits, and then checks that every limit was kept.

  --seconds N    for how long, 60 unless named
  --seed N       what chance does, 1 unless named

It ends with 1 where a limit wasn't kept, or a job is left behind.";

struct Plan {
    span: Duration,
    seed: u64,
    worker: Option<String>,
}

impl Plan {
    fn read() -> Self {
        let mut plan = Self { span: Duration::from_mins(1), seed: 1, worker: None };
        asked::options(HELP, |name, parser| {
            match name {
                "seconds" => plan.span = Duration::from_secs(parser.value()?.parse()?),
                "seed" => plan.seed = parser.value()?.parse()?,
                "worker" => plan.worker = Some(parser.value()?.string()?),
                _ => return Ok(false),
            }
            Ok(true)
        });
        plan
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let plan = Plan::read();
    if let Some(url) = &plan.worker {
        return tasks::run_worker(url).await;
    }
    let findings = run(&plan).await?;
    print!("{findings}");
    if findings.violations.is_empty() {
        println!("every limit was kept");
        return Ok(());
    }
    println!("VIOLATED: {}", findings.violations.join("; "));
    std::process::exit(1)
}

async fn run(plan: &Plan) -> anyhow::Result<ledger::Findings> {
    let options = Options::default().fsync(true).setting("max_connections", "200");
    let server = tokio::task::spawn_blocking(|| Server::start(options)).await??;
    let pool = PgPool::connect(&server.url()).await?;
    let client = Client::from_pool(pool.clone())?;
    client.migrate().await?;
    ledger::open(&pool).await?;
    tasks::enqueue(&client, plan.span).await?;
    let mut fleet = Fleet {
        url: server.url(),
        pool: pool.clone(),
        workers: Vec::new(),
        started: 0,
        chance: Chance::new(plan.seed),
    };
    for _ in 0..WORKERS {
        fleet.start()?;
    }
    let until = Instant::now() + plan.span;
    while Instant::now() < until {
        let pause = 100 + fleet.chance.draw(400);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        fleet.replace_one().await?;
    }
    settle(&pool).await;
    drop(fleet);
    ledger::check(&pool).await.context("the accounts can't be read")
}

/// Until nothing is left, or nothing ends any more.
async fn settle(pool: &PgPool) {
    let (mut left, mut since) = (i64::MAX, Instant::now());
    while left > 0 && since.elapsed() < STUCK {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if let Ok(now) = ledger::unfinished(pool).await
            && now < left
        {
            (left, since) = (now, Instant::now());
        }
    }
}

struct Fleet {
    url: String,
    pool: PgPool,
    workers: Vec<Child>,
    started: u32,
    chance: Chance,
}

impl Fleet {
    fn start(&mut self) -> anyhow::Result<()> {
        self.started += 1;
        let name = self.started.to_string();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--worker", &self.url]).env(tasks::NAME, &name).stdin(Stdio::null());
        self.workers.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        Ok(())
    }

    /// Kills the oldest or another one and notes when, and starts one in its place.
    async fn replace_one(&mut self) -> anyhow::Result<()> {
        let place = usize::try_from(self.chance.draw(WORKERS as u64))?;
        // By the clock that the database goes by too, and before others may know: they may be quicker than this program.
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
        let mut victim = self.workers.remove(place);
        let killed = victim.kill();
        victim.wait()?;
        killed?;
        let died = sqlx::query("insert into death (pid, at) values ($1, to_timestamp($2))");
        died.bind(victim.id().cast_signed()).bind(at).execute(&self.pool).await?;
        self.start()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}
