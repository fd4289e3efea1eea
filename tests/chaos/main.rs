//! Workers and producers under load on a real server, a monkey that breaks all of it, and then the accounts.
//!
//! ```text
//! cargo run --release --bin chaos -- --quick     about a minute
//! cargo run --release --bin chaos                an hour
//! cargo run --release --bin chaos -- --seconds 300 --seed 7 --json
//! cargo run --release --bin chaos -- --seconds 60 --mostly kills     or stops, crashes, outages
//! cargo run --release --bin chaos -- --lease 15                      what workers have by default; here it is 3 seconds
//! ```
//!
//! Four worker processes, of which one is poll-only now and then and two have half the lease, run jobs that two others promise.
//! Each run opens with kills alone, whose recoveries are measured, and with pairs of workers that are stopped until somebody has
//! said that they are gone, and then go on. After that, for as long as is asked, workers are killed, and stopped for longer than
//! their lease; producers are killed. Everybody's connections are cut; the links of one worker go silent and stay open; a crowd
//! takes all connections of the server. The server is killed, restarted, killed while a standby takes its place, made read-only,
//! and refuses rows of history as with a full disk. Each is done once, as far as the time goes, and then by chance.
//!
//! It ends with 1 where the accounts don't agree, and tells what is known of some of the jobs and what was done around that time:
//! a job that was promised (its enqueue was committed) and has no end or two, an effect of the attempt's transaction that isn't
//! there exactly once, a job that completed before its last claim came to its end or while nobody held it, a claim that failed
//! twice or after its successor had begun, an attempt that began after its successor, a claim that its worker ran twice at once, a
//! job that was discarded though it had crashes and attempts to spare, more attempts at once than a limit allows while their leases
//! last, something that is stuck.
//!
//! That it would notice is shown by breaking what it watches. This takes the fence out of `finish.sql` whole, so that the end of
//! whoever comes first is taken for that of the job, with its history and failures:
//!
//! ```text
//! cd pgq/src/backend/postgres/queries
//! sed -i -e 's/lease = $1::bigint and epoch = ended.epoch/$1::bigint is not null/' \
//!        -e 's/ and [a-z]*[.]epoch = [a-z]*[.]epoch//' \
//!        -e 's/^select id, epoch from gone/select ended.id, ended.epoch from gone join ended using (id)/' finish.sql
//! ```
//!
//! and this, by itself, out of `put_back.sql`: who fails late has the job run again while somebody runs it.
//!
//! ```text
//! sed -i -e 's/lease = $1::bigint and epoch = ended.epoch/$1::bigint is not null/' \
//!        -e 's/ and held[.]epoch = failure[.]epoch//' \
//!        -e 's/returning job.id, job.epoch/returning job.id, held.epoch/' put_back.sql
//! ```
//!
//! `--seconds 20` (seed 1, about a minute) ended with `VIOLATED: 9 jobs that completed before their last claim came to its end` and
//! `VIOLATED: 3 jobs that completed while nobody held them` for the first, with `VIOLATED: 4 claims that failed more than once` and
//! `VIOLATED: 3 claims that failed after their successor had begun` for the second; how many there are is chance.
//! Without `for update` in `lock_gates.sql` and `lock_free_gates.sql`, 15 s of kills (seed 7) ended with `VIOLATED: 3 at once of
//! tenants, each, which may be 2`. With all of it, each of these ends well.
//!
//! It ends with 1 too where more than one of each hundred jobs of killed workers that was begun took longer than 2 s to run
//! elsewhere, and as long as jobs that were new then waited for their turn, away from outages and stops. Fewer than 20 aren't judged, and the table says so. Who is killed soon before or after an
//! outage, when nobody has seen it since, is left to its lease, which each outage gives to everybody anew: the table says what the
//! longest such wait was made of. In 70 s of crashes, a fifth of them the server's (seed 9), the longest of 163 was 7.8 s: 3.9 s of
//! outages, 3.4 s of a lease of 3 s, 0.6 s in the queue. 60 s of mostly kills, with the lease that workers have by default, had 254
//! jobs run again elsewhere after 0.7 s (p50) and 1.4 s (p99), on 4 cores that others used too.

#[path = "../asked.rs"]
mod asked;
#[path = "../chance.rs"]
mod chance;
mod evidence;
mod ledger;
mod links;
mod monkey;
mod opening;
mod outages;
#[path = "../peaks.rs"]
mod peaks;
mod producer;
#[path = "../proxy.rs"]
mod proxy;
mod recoveries;
mod tables;
mod tasks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lexopt::ValueExt as _;
use pgq::Client;
use pgq::sqlx::PgPool;
use pgq_testdb::{Options, Server};

use crate::ledger::{Findings, Violation};
use crate::links::Links;
use crate::monkey::{Monkey, Odds};

/// How many workers there are at a time.
const WORKERS: usize = 4;
/// And how many who enqueue.
const PRODUCERS: usize = 2;
/// For how long no job may end when nothing is broken any more: the longest pause of a suspect, and then some. However slow the
/// machine, it gets on.
const STUCK: Duration = Duration::from_secs(150);

const HELP: &str = "\
Breaks workers, producers, servers and links under load, and then checks the accounts.

  --quick          for 25 seconds; an hour unless named
  --seconds N      for so long, after an opening of about 20 seconds to about a minute
  --mostly WHAT    kills, stops, crashes or outages
  --lease N        of workers, in seconds, 3 unless named
  --seed N         what chance does, 1 unless named
  --json           print the result as JSON

It ends with 1 where the accounts don't agree.";

struct Plan {
    span: Duration,
    odds: Odds,
    lease: Duration,
    seed: u64,
    json: bool,
    worker: Option<String>,
    producer: Option<String>,
}

impl Plan {
    fn read() -> Self {
        let (span, lease) = (Duration::from_hours(1), Duration::from_secs(3));
        let mut plan = Self { span, odds: monkey::ALL, lease, seed: 1, json: false, worker: None, producer: None };
        asked::options(HELP, |name, parser| {
            match name {
                "quick" => plan.span = Duration::from_secs(25),
                "seconds" => plan.span = seconds(name, parser)?,
                "mostly" => {
                    plan.odds = match parser.value()?.string()?.as_str() {
                        "kills" => monkey::KILLS,
                        "stops" => monkey::STOPS,
                        "crashes" => monkey::CRASHES,
                        "outages" => monkey::OUTAGES,
                        other => {
                            anyhow::bail!("--mostly: expected `kills`, `stops`, `crashes` or `outages`, got `{other}`")
                        }
                    };
                }
                "lease" => {
                    plan.lease = seconds(name, parser)?;
                    anyhow::ensure!(!plan.lease.is_zero(), "--lease: expected at least 1 second, got 0");
                }
                "seed" => plan.seed = parser.value()?.parse()?,
                "json" => plan.json = true,
                "worker" => plan.worker = Some(parser.value()?.string()?),
                "producer" => plan.producer = Some(parser.value()?.string()?),
                _ => return Ok(false),
            }
            Ok(true)
        });
        plan
    }
}

fn seconds(name: &str, parser: &mut lexopt::Parser) -> anyhow::Result<Duration> {
    let text = parser.value()?.string()?;
    let seconds = text.parse().with_context(|| format!("--{name}: expected a number of seconds, got `{text}`"))?;
    Ok(Duration::from_secs(seconds))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let plan = Plan::read();
    if let Some(url) = &plan.worker {
        return tasks::run_worker(url).await;
    }
    if let Some(url) = &plan.producer {
        return producer::run(url).await;
    }
    let (findings, done, left) = run(&plan).await?;
    report(&plan, &findings, &done, left);
    if findings.violations.is_empty() && left == 0 {
        return Ok(());
    }
    std::process::exit(1)
}

/// What was done, and how often.
type Done = Vec<(&'static str, u32)>;

async fn run(plan: &Plan) -> anyhow::Result<(Findings, Done, u32)> {
    let options = Options::default().fsync(true).setting("max_connections", outages::CONNECTIONS.to_string());
    let server = tokio::task::spawn_blocking(|| Server::start(options)).await??;
    let links = Links::to(&server.url().parse()?).await?;
    let pool = PgPool::connect_with(links.ours.options().application_name(outages::OURS)).await?;
    Client::from_pool(pool.clone())?.migrate().await?;
    tables::open(&pool).await?;
    let mut monkey = Monkey::new(Arc::new(server), links, pool.clone(), plan);
    monkey.revive().await?;
    monkey.produce()?;
    monkey.open(plan.span).await?;
    let until = Instant::now() + plan.span;
    while Instant::now() < until {
        let pause = 300 + monkey.draw(900);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        monkey.strike().await?;
    }
    monkey.calm().await?;
    settle(&pool).await;
    let left = monkey.send_home().await?;
    let done = monkey.done.iter().map(|(what, times)| (*what, *times)).collect();
    Ok((ledger::check(&pool, &monkey.deeds).await.context("the accounts can't be read")?, done, left))
}

/// Until nothing is left to do, or nothing ends any more.
async fn settle(pool: &PgPool) {
    let (mut left, mut since) = (i64::MAX, Instant::now());
    while left > 0 && since.elapsed() < STUCK {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Ok(now) = ledger::unfinished(pool).await
            && now < left
        {
            (left, since) = (now, Instant::now());
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program's result")]
fn report(plan: &Plan, findings: &Findings, done: &Done, left: u32) {
    if plan.json {
        let done: serde_json::Map<_, _> =
            done.iter().map(|(what, times)| ((*what).to_owned(), (*times).into())).collect();
        let report = serde_json::json!({
            "seconds": plan.span.as_secs(), "seed": plan.seed, "done": done, "jobs": findings.jobs,
            "duplicates": findings.duplicates, "discarded": findings.discarded,
            "recovery_p50_ms": findings.recoveries.longest(0.5), "recovery_p99_ms": findings.recoveries.longest(0.99),
            "recovery_longest_ms": findings.recoveries.longest(1.0), "recoveries": findings.recoveries.count(),
            "recoveries_within_bound": findings.recoveries.judgement(),
            "recoveries_near_outage": findings.shaken.count(),
            "recovery_near_outage_p99_ms": findings.shaken.longest(0.99),
            "violations": findings.violations.iter().map(|violation| &violation.what).collect::<Vec<_>>(),
            "evidence": findings.violations.iter().map(|violation| &violation.evidence).collect::<Vec<_>>(),
            "workers_that_did_not_end_well": left,
        });
        println!("{report}");
        return;
    }
    println!("chaos, {} s, seed {}", plan.span.as_secs(), plan.seed);
    for (what, times) in done {
        println!("  {what:<38} {times:>9}");
    }
    print!("{findings}");
    println!("  {:<38} {left:>9}", "workers that didn't end well");
    match findings.violations.as_slice() {
        [] => println!("every promise is kept"),
        violations => {
            for Violation { what, evidence } in violations {
                println!("VIOLATED: {what}\n{evidence}");
            }
        }
    }
}
