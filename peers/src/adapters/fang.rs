//! fang, the asynchronous half of it.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fang::asynk::async_queue::{AsyncQueue, AsyncQueueable};
use fang::asynk::async_worker_pool::AsyncWorkerPool;
use fang::serde::{Deserialize, Serialize};
use fang::{AsyncRunnable, FangError, SleepParams, typetag};
use tokio::sync::OnceCell;

use super::sources;
use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn};
use crate::runs::{payload, ran};

pub(super) const ENTRY: Entry = Entry {
    name: "fang",
    runs_in: RunsIn::Rust { package: "fang", connect: |database| Box::new(Fang::on(database)) },
    settings: "20 workers and as many connections, since each claims and ends one task at a time; they sleep 100 ms where \
               nothing is queued, instead of 5 s. Tasks are inserted one by one: it has no other way. Its duplicates are its \
               own: what it selects `for update skip locked` is unlocked again before another statement marks it as in \
               progress, by id alone, so that two workers may take one task",
    transactional: false,
    left: "fang_tasks",
    kept: "",
    one_in: 100,
};

const WORKERS: u32 = 20;
const SLEEP: Duration = Duration::from_millis(100);

#[derive(Deserialize, Serialize)]
#[serde(crate = "fang::serde")]
struct Noop {
    p: String,
}

#[typetag::serde]
#[async_trait]
impl AsyncRunnable for Noop {
    async fn run(&self, _: &dyn AsyncQueueable) -> Result<(), FangError> {
        ran(&self.p);
        Ok(())
    }
}

struct Fang {
    database: Database,
    queue: OnceCell<AsyncQueue>,
}

impl Fang {
    fn on(database: Database) -> Self {
        Self { database, queue: OnceCell::new() }
    }

    /// The one that a program has: each has a pool of its own.
    async fn queue(&self) -> Result<&AsyncQueue> {
        let connect = || async {
            let mut queue = AsyncQueue::builder().uri(&self.database.url).max_pool_size(WORKERS).build();
            queue.connect().await?;
            Ok(queue)
        };
        self.queue.get_or_try_init(connect).await
    }
}

#[async_trait(?Send)]
impl Peer for Fang {
    async fn set_up(&self) -> Result<()> {
        for script in sources::scripts("fang", "postgres_migrations/migrations", "up.sql")? {
            sqlx08::raw_sql(&script).execute(&self.database.pool08(1).await?).await?;
        }
        Ok(())
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let queue = self.queue().await?;
        for number in numbers {
            queue.insert_task(&Noop { p: payload(number, 24) }).await?;
        }
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        self.enqueue(number..number + 1).await
    }

    async fn work(&self) -> Result<()> {
        let sleep =
            SleepParams { sleep_period: SLEEP, max_sleep_period: SLEEP, min_sleep_period: SLEEP, sleep_step: SLEEP };
        let pool =
            AsyncWorkerPool::<AsyncQueue>::builder().number_of_workers(WORKERS).queue(self.queue().await?.clone());
        pool.sleep_params(sleep).build().start().await;
        Ok(())
    }
}
