//! Resources of workers whose handlers say that they run, for tests of what starts when.

use std::sync::Arc;
use std::time::Duration;

use pgq::{BoxError, Client, Env, Error, Resources, Result, Tasks, Worker, WorkerBuilder};
use tokio::sync::{Semaphore, mpsc};

/// Where handlers say that they run, and stay until they are let go.
#[derive(Clone, pgq::Provide)]
pub(crate) struct Quay {
    told: mpsc::UnboundedSender<u32>,
    pub(crate) gate: Arc<Semaphore>,
}

impl Resources for Quay {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

/// One that nobody stays at before it is opened, and what is said there.
pub(crate) fn quay() -> (Quay, mpsc::UnboundedReceiver<u32>) {
    let (told, reports) = mpsc::unbounded_channel();
    (Quay { told, gate: Arc::new(Semaphore::new(0)) }, reports)
}

impl Quay {
    /// A handler runs.
    pub(crate) fn tell(&self, number: u32) -> Result<(), BoxError> {
        self.told.send(number).map_err(Into::into)
    }

    /// A handler runs, and stays.
    pub(crate) async fn stay(&self, number: u32) -> Result<(), BoxError> {
        self.tell(number)?;
        self.gate.acquire().await?.forget();
        Ok(())
    }

    /// The same with a gate of its own.
    pub(crate) fn beside(&self) -> Self {
        Self { told: self.told.clone(), gate: Arc::new(Semaphore::new(0)) }
    }

    /// A worker whose lease isn't over while a test lasts.
    pub(crate) fn builder(&self, client: &Client, tasks: Tasks<Self>) -> WorkerBuilder<Self> {
        Worker::builder().client(client.clone()).tasks(tasks).resources(self.clone()).lease(Duration::from_hours(1))
    }

    /// One that has room for everybody, and waits for whoever stays.
    pub(crate) async fn worker(&self, client: &Client, tasks: Tasks<Self>) -> Worker<Self> {
        let builder = self.builder(client, tasks).slots(100).drain_timeout(Duration::from_hours(1));
        builder.spawn().await.unwrap()
    }
}
