//! pgmq: a queue without a worker, which is driven here as its documentation reads and deletes.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use pgmq::{Message, PGMQueueExt};

use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn, spawn};
use crate::runs::{payload, ran};

pub(crate) const ENTRY: Entry = Entry {
    name: "pgmq",
    runs_in: RunsIn::Rust { package: "pgmq", connect: |database| Box::new(Pgmq(database)) },
    settings: "no worker of its own: 2 loops of read (500 messages, 60 s) and delete, so that one reads while the other \
               deletes; its own poll (10 ms) when empty; SQL-only installation",
    transactional: true,
    left: "pgmq.q_noop",
    kept: "",
    one_in: 1,
};

const QUEUE: &str = "noop";
const LOOPS: u32 = 2;
const BATCH: i32 = 500;
const VISIBILITY: i32 = 60;
const POLL: Duration = Duration::from_millis(10);

struct Pgmq(Database);

impl Pgmq {
    async fn queue(&self) -> Result<PGMQueueExt> {
        // One more than there are loops: it enqueues.
        Ok(PGMQueueExt::new_with_pool(self.0.pool08(LOOPS + 1).await?).await)
    }
}

async fn consume(queue: PGMQueueExt) -> Result<()> {
    loop {
        let read = queue.read_batch_with_poll::<String>(QUEUE, VISIBILITY, BATCH, None, Some(POLL)).await?;
        let messages: Vec<Message<String>> = read.unwrap_or_default();
        for message in &messages {
            ran(&message.message);
        }
        let ids: Vec<i64> = messages.iter().map(|message| message.msg_id).collect();
        if !ids.is_empty() {
            queue.delete_batch(QUEUE, &ids).await?;
        }
    }
}

#[async_trait(?Send)]
impl Peer for Pgmq {
    async fn set_up(&self) -> Result<()> {
        let queue = self.queue().await?;
        queue.install_sql_from_embedded().await?;
        queue.create(QUEUE).await?;
        Ok(())
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let queue = self.queue().await?;
        let messages: Vec<String> = numbers.map(|number| payload(number, 2)).collect();
        let mut tx = queue.connection.begin().await?;
        queue.send_batch_with_cxn(QUEUE, &messages, &mut *tx).await?;
        Ok(tx.commit().await?)
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        self.queue().await?.send(QUEUE, &payload(number, 2)).await?;
        Ok(())
    }

    async fn work(&self) -> Result<()> {
        for _ in 0..LOOPS {
            spawn(consume(self.queue().await?));
        }
        Ok(())
    }
}
