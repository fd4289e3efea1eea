//! apalis on PostgreSQL.

use std::ops::Range;

use anyhow::Result;
use apalis::prelude::{BoxDynError, ParallelizeExt, TaskBuilder, WorkerBuilder};
use apalis_postgres::{Config, PostgresStorage, queries};
use async_trait::async_trait;
use tokio::runtime::Handle;

use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn, ended};
use crate::runs::{payload, ran};

pub(super) const ENTRY: Entry = Entry {
    name: "apalis-postgres",
    runs_in: RunsIn::Rust { package: "apalis-postgres", connect: |database| Box::new(Apalis(database)) },
    settings: "as its basic example: no second lock of each task, LISTEN/NOTIFY, handlers in parallel; batches of 1,000 \
               instead of 100, which is also how many ends it writes at once",
    transactional: true,
    left: "apalis.jobs where status <> 'Done'",
    kept: "apalis.jobs where status = 'Done'",
    one_in: 4,
};

const QUEUE: &str = "noop";

struct Apalis(Database);

#[async_trait(?Send)]
impl Peer for Apalis {
    async fn set_up(&self) -> Result<()> {
        Ok(PostgresStorage::setup(&self.0.pool(10).await?).await?)
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let tasks = numbers.map(|number| Ok(TaskBuilder::new(serde_json::to_vec(&payload(number, 2))?).build()));
        let tasks = tasks.collect::<Result<_>>()?;
        let mut tx = self.0.pool(10).await?.begin().await?;
        queries::push_tasks(&mut *tx, QUEUE, tasks).await?;
        Ok(tx.commit().await?)
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        self.enqueue(number..number + 1).await
    }

    async fn work(&self) -> Result<()> {
        let (pool, runtime) = (self.0.pool(10).await?, Handle::current());
        // A thread of its own: the future of a worker with parallel handlers isn't `Send`.
        std::thread::spawn(move || {
            let config = Config::default().queue(QUEUE).batch_size(1_000).lock_tasks(false);
            let backend = PostgresStorage::new(&pool).with_config(config).with_pubsub();
            let worker = WorkerBuilder::new("peers").backend(backend).parallelize(tokio::spawn).build(noop);
            ended(runtime.block_on(worker.run()));
        });
        Ok(())
    }
}

async fn noop(payload: String) -> Result<(), BoxDynError> {
    ran(&payload);
    Ok(())
}
