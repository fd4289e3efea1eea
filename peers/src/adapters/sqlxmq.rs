//! sqlxmq.

use std::error::Error;
use std::ops::Range;

use anyhow::Result;
use async_trait::async_trait;
use sqlxmq::{CurrentJob, JobRegistry, job};

use super::sources;
use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn};
use crate::runs::{payload, ran};

pub(super) const ENTRY: Entry = Entry {
    name: "sqlxmq",
    runs_in: RunsIn::Rust { package: "sqlxmq", connect: |database| Box::new(Sqlxmq(database)) },
    settings: "50 to 100 jobs at once, since their difference bounds a batch; keep-alive off, since no job takes long; a \
               pool of 25. Jobs are spawned and completed one by one: it has no other way",
    transactional: true,
    left: "mq_msgs where id <> '00000000-0000-0000-0000-000000000000'",
    kept: "",
    one_in: 10,
};

const POOL: u32 = 25;

#[job(channel_name = "noop")]
async fn noop(mut job: CurrentJob) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
    ran(&job.json::<String>()?.unwrap_or_default());
    job.complete().await?;
    Ok(())
}

struct Sqlxmq(Database);

#[async_trait(?Send)]
impl Peer for Sqlxmq {
    async fn set_up(&self) -> Result<()> {
        for script in sources::scripts("sqlxmq", "migrations", ".up.sql")? {
            sqlx08::raw_sql(&script).execute(&self.0.pool08(POOL).await?).await?;
        }
        Ok(())
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let mut tx = self.0.pool08(POOL).await?.begin().await?;
        for number in numbers {
            noop.builder().set_json(&payload(number, 2))?.spawn(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        noop.builder().set_json(&payload(number, 2))?.spawn(&self.0.pool08(POOL).await?).await?;
        Ok(())
    }

    async fn work(&self) -> Result<()> {
        let mut options = JobRegistry::new(&[noop]).runner(&self.0.pool08(POOL).await?);
        let runner = options.set_concurrency(50, 100).set_keep_alive(false).run().await?;
        // It works for as long as the process does.
        std::mem::forget(runner);
        Ok(())
    }
}
