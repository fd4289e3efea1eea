//! What is enqueued: so much of each task that its limits always hold somebody up, and no more, so that it is done soon in the end.

use std::collections::HashMap;

use pgq::sqlx::{self, PgPool};
use pgq::{AnyJob, Client};

use super::{first, second};

/// How many values the limit key of `values` has.
const VALUES: u64 = 1_200;
/// How many jobs a wave has: more than a burst.
const WAVE: u64 = 26;

/// How many jobs of each task there are to be at a time.
const BACKLOGS: &[(&str, i64)] = &[
    ("narrow", 60),
    ("serial", 25),
    ("freed", 40),
    ("local", 100),
    ("long", 12),
    ("print", 50),
    ("bind", 50),
    ("paced", 60),
    ("slow", 24),
    ("minutely", 15),
    ("pack", 30),
    ("ship", 30),
    ("tenants", 80),
    ("accounts", 60),
    ("hosts", 40),
    ("values", 150),
];

/// Who enqueues.
pub(crate) struct Feed {
    client: Client,
    pool: PgPool,
    numbers: HashMap<&'static str, u64>,
    pub(crate) enqueued: u64,
}

impl Feed {
    pub(crate) fn new(client: Client, pool: PgPool) -> Self {
        Self { client, pool, numbers: HashMap::new(), enqueued: 0 }
    }

    /// As many as there are to be. Jobs of a task that the next version calls otherwise are enqueued by the names that run.
    pub(crate) async fn fill(&mut self, renamed: &[&'static str]) -> anyhow::Result<()> {
        let query = sqlx::query_as("select task, count(*) from pgq.job group by task");
        let there: HashMap<String, i64> = query.fetch_all(&self.pool).await?.into_iter().collect();
        let mut jobs = Vec::new();
        let renamed = renamed.iter().map(|task| (*task, 20));
        for (task, backlog) in BACKLOGS.iter().copied().chain(renamed) {
            let missing = backlog - there.get(task).copied().unwrap_or_default();
            jobs.extend((0..missing).map(|_| self.job(task)));
        }
        self.enqueue(jobs).await
    }

    /// Many of a task that had a pause.
    pub(crate) async fn wave(&mut self) -> anyhow::Result<()> {
        let jobs = (0..WAVE).map(|_| self.job("waves")).collect();
        self.enqueue(jobs).await
    }

    async fn enqueue(&mut self, jobs: Vec<AnyJob>) -> anyhow::Result<()> {
        self.enqueued += jobs.len() as u64;
        pgq::enqueue_many(&self.client, jobs).await?;
        Ok(())
    }

    fn job(&mut self, task: &'static str) -> AnyJob {
        let number = self.numbers.entry(task).or_default();
        *number += 1;
        let number = *number;
        match task {
            "narrow" => first::narrow::job(number).into(),
            "serial" => first::serial::job(number).into(),
            "freed" => first::freed::job(number).into(),
            "draft" => first::draft::job(number).into(),
            "letter" => second::letter::job(number).into(),
            "local" => first::local::job(number).into(),
            "long" => first::long::job(number).into(),
            "print" => first::print::job(number).into(),
            "bind" => first::bind::job(number).into(),
            "paced" => first::paced::job(number).into(),
            "slow" => first::slow::job(number).into(),
            "waves" => first::waves::job(number).into(),
            "minutely" => first::minutely::job(number).into(),
            "pack" => first::pack::job(number).into(),
            "ship" => first::ship::job(number).into(),
            "tenants" => first::tenants::job(first::TenantsArgs { tenant: format!("t{}", number % 5), number }).into(),
            "accounts" => first::accounts::job(first::AccountsArgs { account: number % 7, number }).into(),
            "hosts" => first::hosts::job(first::HostsArgs { host: number % 3, number }).into(),
            _ => first::values::job(first::ValuesArgs { value: number % VALUES, number }).into(),
        }
    }
}
