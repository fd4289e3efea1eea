//! pgq, with history off and on.

use std::marker::PhantomData;
use std::ops::Range;

use anyhow::Result;
use async_trait::async_trait;
use pgq::{AnyJob, BoxError, Client, Context, JobBuilder, Task, Worker};
use sqlx::PgPool;

use crate::database::Database;
use crate::peer::{Entry, Peer, RunsIn};
use crate::runs::{payload, ran};

pub(crate) const ENTRY: Entry = Entry {
    name: "pgq",
    runs_in: RunsIn::Rust { package: "pgq", connect: connect::<noop> },
    settings: "1,000 slots, so that a claim and a finish of 500 to 1,000 jobs are always under way; `keep = none`",
    transactional: true,
    left: "pgq.job",
    kept: "",
    one_in: 1,
};

pub(crate) const WITH_HISTORY: Entry = Entry {
    name: "pgq-history",
    runs_in: RunsIn::Rust { package: "pgq", connect: connect::<noop_kept> },
    settings: "as pgq, with history on, which is the default",
    kept: "pgq.history",
    ..ENTRY
};

/// Does nothing, and is forgotten.
#[pgq::task(keep = none)]
async fn noop(_ctx: Context<()>, payload: String) -> Result<(), BoxError> {
    ran(&payload);
    Ok(())
}

/// Does nothing, and is kept in history.
#[pgq::task]
async fn noop_kept(_ctx: Context<()>, payload: String) -> Result<(), BoxError> {
    ran(&payload);
    Ok(())
}

struct Pgq<T>(Database, PhantomData<T>);

fn connect<T: Task<Args = String>>(database: Database) -> Box<dyn Peer> {
    Box::new(Pgq::<T>(database, PhantomData))
}

impl<T> Pgq<T> {
    async fn pool(&self) -> Result<PgPool> {
        self.0.pool(2).await
    }

    async fn client(&self) -> Result<Client> {
        Ok(Client::builder()?.namespace("pgq", "")?.pool(self.pool().await?))
    }
}

#[async_trait(?Send)]
impl<T: Task<Args = String>> Peer for Pgq<T> {
    async fn set_up(&self) -> Result<()> {
        self.client().await?.migrate().await?;
        Ok(())
    }

    async fn enqueue(&self, numbers: Range<u32>) -> Result<()> {
        let mut tx = self.pool().await?.begin().await?;
        let jobs = numbers.map(|number| AnyJob::from(JobBuilder::<T>::new(payload(number, 2))));
        pgq::enqueue_many(self.client().await?.on(&mut tx), jobs).await?;
        Ok(tx.commit().await?)
    }

    async fn enqueue_one(&self, number: u32) -> Result<()> {
        JobBuilder::<T>::new(payload(number, 2)).enqueue(&self.client().await?).await?;
        Ok(())
    }

    async fn work(&self) -> Result<()> {
        let builder = Worker::builder().client(self.client().await?).only([T::NAME]).tasks_only().slots(1_000);
        let worker = builder.resources(()).spawn().await?;
        // It works for as long as the process does.
        std::mem::forget(worker);
        Ok(())
    }
}
