//! River, by its own client for Rust.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use riverqueue::migrate::PostgresMigrator;
use riverqueue::{BoxError, Client, Job, JobArgs, QueueConfig, WorkContext, WorkOutcome, Workers};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn};
use crate::runs::{payload, ran};

pub(super) const ENTRY: Entry = Entry {
    name: "riverqueue",
    runs_in: RunsIn::Rust {
        package: "riverqueue",
        connect: |database| Box::new(River { database, client: OnceCell::new() }),
    },
    settings: "1,000 workers, so that a fetch takes up to 1,000 jobs; the least cooldown between fetches and notices (1 ms), \
               by which its throughput is limited; a pool of 10",
    transactional: true,
    left: "river_job where state in ('available', 'running', 'retryable', 'scheduled', 'pending')",
    kept: "river_job where state = 'completed'",
    one_in: 4,
};

const COOLDOWN: Duration = Duration::from_millis(1);

#[derive(Clone, Debug, Deserialize, JobArgs, Serialize)]
#[river(kind = "noop")]
struct Noop {
    p: String,
}

impl Noop {
    fn new(number: u32) -> Self {
        Self { p: payload(number, r#"{"p":""}"#.len()) }
    }
}

async fn noop(_: WorkContext, job: Job<Noop>) -> Result<WorkOutcome, BoxError> {
    ran(&job.args.p);
    Ok(WorkOutcome::Complete)
}

struct River {
    database: Database,
    client: OnceCell<Client>,
}

impl River {
    async fn client(&self) -> Result<&Client> {
        self.client
            .get_or_try_init(async || {
                let mut workers = Workers::new();
                workers.add_fn(noop)?;
                let builder = Client::builder(self.database.pool(10).await?).workers(workers).fetch_cooldown(COOLDOWN);
                Ok(builder.queue("default", QueueConfig::new(1_000)).build()?)
            })
            .await
    }
}

#[async_trait(?Send)]
impl Peer for River {
    async fn set_up(&self) -> Result<()> {
        PostgresMigrator::new(self.database.pool(10).await?).migrate_up().await?;
        Ok(())
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let mut tx = riverqueue::database::begin_postgres(&self.database.pool(10).await?).await?;
        self.client().await?.insert_many(numbers.map(Noop::new)).tx(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        self.client().await?.insert(Noop::new(number)).await?;
        Ok(())
    }

    async fn work(&self) -> Result<()> {
        self.client().await?.start()?.detach();
        Ok(())
    }
}
