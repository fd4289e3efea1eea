//! underway.

use std::ops::Range;

use anyhow::Result;
use async_trait::async_trait;
use sqlx08::{PgPool, Postgres, Transaction};
use tokio::sync::OnceCell;
use underway::task::Result as TaskResult;
use underway::{Queue, Task, Worker};

use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn, spawn};
use crate::runs::{payload, ran};

pub(super) const ENTRY: Entry = Entry {
    name: "underway",
    runs_in: RunsIn::Rust { package: "underway", connect: |database| Box::new(Underway::on(database)) },
    settings: "`enqueue_multi`; 32 tasks at once, as its documentation sets it, each in a transaction of its own, and so a \
               pool of 40",
    transactional: true,
    left: "underway.task where state in ('pending', 'in_progress')",
    kept: "underway.task where state = 'succeeded'",
    one_in: 100,
};

const CONCURRENCY: usize = 32;

struct Noop;

impl Task for Noop {
    type Input = String;
    type Output = ();

    async fn execute(&self, _: Transaction<'_, Postgres>, input: Self::Input) -> TaskResult<Self::Output> {
        ran(&input);
        Ok(())
    }
}

struct Underway {
    database: Database,
    queue: OnceCell<Queue<Noop>>,
}

impl Underway {
    fn on(database: Database) -> Self {
        Self { database, queue: OnceCell::new() }
    }

    async fn pool(&self) -> Result<PgPool> {
        self.database.pool08(40).await
    }

    /// The one that a program has: to build one writes its row.
    async fn queue(&self) -> Result<&Queue<Noop>> {
        let build = || async { Ok(Queue::builder().name("noop").pool(self.pool().await?).build().await?) };
        self.queue.get_or_try_init(build).await
    }
}

#[async_trait(?Send)]
impl Peer for Underway {
    async fn set_up(&self) -> Result<()> {
        underway::run_migrations(&self.pool().await?).await?;
        self.queue().await?;
        Ok(())
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let inputs: Vec<String> = numbers.map(|number| payload(number, 2)).collect();
        let queue = self.queue().await?;
        let mut tx = self.pool().await?.begin().await?;
        queue.enqueue_multi(&mut *tx, &Noop, &inputs).await?;
        Ok(tx.commit().await?)
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        self.queue().await?.enqueue(&self.pool().await?, &Noop, &payload(number, 2)).await?;
        Ok(())
    }

    async fn work(&self) -> Result<()> {
        let mut worker = Worker::new(self.queue().await?.clone().into(), Noop);
        worker.set_concurrency_limit(CONCURRENCY);
        spawn(async move { worker.run().await });
        Ok(())
    }
}
