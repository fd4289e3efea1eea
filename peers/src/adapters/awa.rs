//! awa, with its queue storage.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use awa::{
    Client, InsertOpts, InsertParams, JobArgs, JobResult, QueueConfig, QueueStorage, QueueStorageConfig, insert_with,
    migrations,
};
use serde::{Deserialize, Serialize};
use sqlx08::PgPool;

use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn};
use crate::runs::{payload, ran};

pub(super) const ENTRY: Entry = Entry {
    name: "awa",
    runs_in: RunsIn::Rust { package: "awa", connect: |database| Box::new(Awa(database)) },
    settings: "as its own benchmark of queue storage: polls each 50 ms, no deadline, which is its short path; 1,000 workers \
               instead of 100, so that claims are full (512); jobs go in by `QueueStorage::enqueue_params_copy`, which is 50 times as fast as `insert_many_copy` and \
               can't be in the caller's transaction; a pool of 20",
    transactional: false,
    // By its tables: its view of all jobs takes a minute for so many.
    left: "(select sum(completed_count) as count from awa.receipt_completion_batches) as ended
           where coalesce(count, 0) + (select count(*) from awa.done_entries) < (select count(*) from awa.ready_entries)",
    kept: "(select unnest(job_ids) from awa.receipt_completion_batches
           union all select job_id from awa.done_entries) as ended",
    one_in: 4,
};

const QUEUE: &str = "noop";

#[derive(Debug, Deserialize, JobArgs, Serialize)]
struct Noop {
    p: String,
}

impl Noop {
    fn new(number: u32) -> Self {
        Self { p: payload(number, r#"{"p":""}"#.len()) }
    }
}

fn options() -> InsertOpts {
    InsertOpts { queue: QUEUE.to_owned(), ..InsertOpts::default() }
}

struct Awa(Database);

impl Awa {
    async fn pool(&self) -> Result<PgPool> {
        self.0.pool08(20).await
    }

    async fn client(&self) -> Result<Client> {
        let config = QueueConfig {
            max_workers: 1_000,
            poll_interval: Duration::from_millis(50),
            deadline_duration: Duration::ZERO,
            ..QueueConfig::default()
        };
        let builder = Client::builder(self.pool().await?).queue(QUEUE, config);
        let builder = builder.register::<Noop, _, _>(|args: Noop, _| async move {
            ran(&args.p);
            Ok(JobResult::Completed)
        });
        Ok(builder.build()?)
    }
}

#[async_trait(?Send)]
impl Peer for Awa {
    /// The first worker of a new database chooses its storage.
    async fn set_up(&self) -> Result<()> {
        migrations::run(&self.pool().await?).await?;
        let client = self.client().await?;
        client.start().await?;
        client.shutdown(Duration::from_secs(5)).await;
        Ok(())
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let job = |number| {
            let args = serde_json::to_value(Noop::new(number))?;
            Ok(InsertParams { kind: Noop::kind().to_owned(), args, opts: options() })
        };
        let jobs = numbers.map(job).collect::<Result<Vec<_>>>()?;
        let storage = QueueStorage::new(QueueStorageConfig::default())?;
        storage.enqueue_params_copy(&self.pool().await?, &jobs).await?;
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        insert_with(&self.pool().await?, &Noop::new(number), options()).await?;
        Ok(())
    }

    async fn work(&self) -> Result<()> {
        let client = self.client().await?;
        client.start().await?;
        // It works for as long as the process does.
        std::mem::forget(client);
        Ok(())
    }
}
