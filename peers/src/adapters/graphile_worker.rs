//! `graphile_worker`, the Rust one.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn, spawn};
use crate::runs::{payload, ran};

pub(crate) const ENTRY: Entry = Entry {
    name: "graphile_worker",
    runs_in: RunsIn::Rust { package: "graphile_worker", connect: |database| Box::new(Graphile(database)) },
    settings: "as in its own benchmark: concurrency 500, local queue of 5,000, completions batched for 5 ms, polls each \
               5 ms; a pool of 25",
    transactional: true,
    left: "graphile_worker._private_jobs",
    kept: "",
    one_in: 1,
};

#[derive(Clone, Deserialize, Serialize)]
struct Noop {
    p: String,
}

impl Noop {
    fn new(number: u32) -> Self {
        Self { p: payload(number, r#"{"p":""}"#.len()) }
    }
}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        ran(&self.p);
        Ok::<(), String>(())
    }
}

struct Graphile(Database);

impl Graphile {
    async fn pool(&self) -> Result<PgPool> {
        self.0.pool(25).await
    }

    async fn utils(&self) -> Result<WorkerUtils> {
        Ok(WorkerUtils::new(self.pool().await?, "graphile_worker"))
    }
}

#[async_trait(?Send)]
impl Peer for Graphile {
    async fn set_up(&self) -> Result<()> {
        Ok(self.utils().await?.migrate().await?)
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let mut tx = self.pool().await?.begin().await?;
        let spec = JobSpec::default();
        let jobs: Vec<_> = numbers.map(|number| (Noop::new(number), &spec)).collect();
        self.utils().await?.with_executor(&mut tx).add_jobs(&jobs).await?;
        Ok(tx.commit().await?)
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        self.utils().await?.add_job(Noop::new(number), JobSpec::default()).await?;
        Ok(())
    }

    async fn work(&self) -> Result<()> {
        let options = WorkerOptions::default().pg_pool(self.pool().await?).define_job::<Noop>();
        let options = options.concurrency(500).local_queue(LocalQueueConfig::default().with_size(5_000));
        let options =
            options.poll_interval(Duration::from_millis(5)).complete_job_batch_delay(Duration::from_millis(5));
        let worker = Box::pin(options.init()).await?;
        spawn(async move { worker.run().await });
        Ok(())
    }
}
