//! Eight worker processes whose tasks have limits, and a hand that kills, stops, ends and replaces them and changes what the limits
//! allow all the while; then the accounts.
//!
//! ```text
//! cargo run --release --bin fleet -- --quick                    about 45 seconds
//! cargo run --release --bin fleet -- --seconds 600 --seed 7
//! ```
//!
//! Workers are killed, stopped for shorter or longer than their lease, and told to end; another one takes the place. Meanwhile a
//! second version of the code is deployed, worker by worker, rolled back, and deployed again: it has other bounds, a limit less, and
//! a task by another name. An operator sets other bounds, of limits and of single values of their keys, takes limits away, and
//! clears what was set. Each limit has jobs that wait for it all the time, but for one that is let fill and then run into.
//!
//! Every attempt is written down when it is let through, when it begins and when it ends, by one clock: the database's, which is the
//! workers' too, as all are on one machine. It ends with 1 where
//!
//! - an attempt began with more beside it than a limit allowed then, whose leases and processes lived;
//! - in any window more were let through than the rate allowed that was in force in it (`check/pace.rs`: without an allowance);
//! - jobs of a serial key began in another order than they were enqueued in;
//! - a job ended twice or never, or was given up, or waits though nothing hinders it;
//! - in the end there are shares, passes or gates of nobody, or a worker that was told to end didn't end well.
//!
//! Once nothing is done to anybody any more, a job that waits for longer than it takes to find who was forgotten counts as waiting
//! though nothing hinders it, if later ones of its tasks pass.
//!
//! What was in force is known from what was done (`timeline.rs`): with a change the larger of the old and the new for as long as
//! workers may take to follow, and the new alone from then on. So a change that doesn't get through, or is lost, shows.
//!
//! That it would notice is shown by breaking what it watches, by 30 s of seed 4 for the first two:
//!
//! - units of a rate that come back full from a worker that is gone (`Pool::free`, without `orphaned`): `57 starts of slow in
//!   8.3890 s, which may be 36.7780`;
//! - units of a rate that arrive full at their next worker (`runtime/pool.rs`, `take`): `49 starts of waves in 12.0185 s, which may
//!   be 44.0370`;
//! - a claim's duration counted twice in a bucket that was full (`Offer::won` without `fill`): `7 starts of carrier: pack and ship
//!   in 0.1393 s, which may be 6.7863`;
//! - what is set of a task lost under its next name (`declare_limits` without `inherit_limits.sql`; 30 s of seeds 1, 2 and 4): `2 at
//!   once of draft, now called letter, which may be 1`;
//! - whoever is stopped with limits locked not cut off (`begin_durable` without its timeout; seed 1): `process 5269 was told to
//!   end, and did after 20.017 s: exit status: 1`, and who held what.

#[path = "../asked.rs"]
mod asked;
#[path = "../chance.rs"]
mod chance;
mod check;
mod crew;
mod deeds;
mod director;
mod ledger;
mod limits;
mod report;
mod tasks;
mod timeline;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use lexopt::ValueExt as _;
use pgq::Client;
use pgq::sqlx::PgPool;
use pgq_testdb::{Options, Server};

use crate::chance::Chance;
use crate::check::Findings;
use crate::crew::Crew;
use crate::deeds::now;
use crate::director::Director;
use crate::tasks::{Feed, Version};

/// How many workers there are at a time.
const WORKERS: usize = 8;
/// For how long no job may end once nobody is killed any more: however slow the machine, it gets on.
const STUCK: Duration = Duration::from_mins(2);

const HELP: &str = "\
Kills, stops, ends and deploys workers whose tasks have limits, and changes these, and then checks that every limit was kept.

  --quick        for 30 seconds; five minutes unless named
  --seconds N    for so long
  --seed N       what chance does, 1 unless named

It ends with 1 where a limit wasn't kept, or a job is left behind.";

struct Plan {
    span: Duration,
    seed: u64,
    worker: Option<String>,
    code: Version,
}

impl Plan {
    fn read() -> Self {
        let mut plan = Self { span: Duration::from_mins(5), seed: 1, worker: None, code: Version::First };
        asked::options(HELP, |name, parser| {
            match name {
                "quick" => plan.span = Duration::from_secs(30),
                "seconds" => plan.span = Duration::from_secs(parser.value()?.parse()?),
                "seed" => plan.seed = parser.value()?.parse()?,
                "worker" => plan.worker = Some(parser.value()?.string()?),
                "code" => plan.code = Version::read(parser.value()?.parse()?),
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
        return tasks::run_worker(url, plan.code).await;
    }
    let begun = now();
    let (findings, crew) = run(&plan).await?;
    report::print(&plan, &crew, &findings, begun);
    if findings.violations.is_empty() {
        return Ok(());
    }
    std::process::exit(1)
}

async fn run(plan: &Plan) -> anyhow::Result<(Findings, Crew)> {
    let options = Options::default().fsync(true).setting("max_connections", "200");
    let server = tokio::task::spawn_blocking(|| Server::start(options)).await??;
    let pool = PgPool::connect(&server.url()).await?;
    let client = Client::from_pool(pool.clone())?;
    client.migrate().await?;
    ledger::open(&pool).await?;
    let mut feed = Feed::new(client.clone(), pool.clone());
    feed.fill(&["draft"]).await?;
    let crew = Crew::start(server.url(), pool.clone(), WORKERS).await?;
    ledger::until_declared(&pool).await?;
    let mut director = Director { crew, feed, chance: Chance::new(plan.seed), client, pool: pool.clone() };
    director.play(plan.span).await?;
    director.calm().await?;
    let calm = director.crew.deeds.settled(now());
    settle(&pool).await;
    director.crew.send_home().await?;
    let Director { mut crew, feed, .. } = director;
    let findings = check::check(&pool, &mut crew, calm, feed.enqueued).await.context("the accounts can't be read")?;
    Ok((findings, crew))
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
