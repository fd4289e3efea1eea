//! What is asked of a peer.

use std::fmt::Display;
use std::ops::Range;

use async_trait::async_trait;

use crate::database::Database;

/// A library under measurement: who it is, and how it is driven.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) runs_in: RunsIn,
    /// Its settings, with the reason for each.
    pub(crate) settings: &'static str,
    /// Whether a batch goes in within the caller's own transaction.
    pub(crate) transactional: bool,
    /// What is true of a job that hasn't ended, as `table where …`. A job that has ended is not among these.
    pub(crate) left: &'static str,
    /// Where ended jobs are kept, likewise; empty where they are deleted.
    pub(crate) kept: &'static str,
    /// It is given this part of the jobs, because it would take minutes for all of them.
    pub(crate) one_in: u32,
}

/// How a peer is reached.
pub(crate) enum RunsIn {
    /// In Rust, as the crate of this name.
    Rust { package: &'static str, connect: fn(Database) -> Box<dyn Peer> },
    /// As a script of this name in `scripts`, which is given the package of this name.
    Python { package: &'static str, script: &'static str },
    /// Likewise.
    Node { package: &'static str, script: &'static str },
}

/// One library, driven by its own public interface.
#[async_trait(?Send)]
pub(crate) trait Peer {
    /// Makes its tables, and what a queue needs.
    async fn set_up(&self) -> anyhow::Result<()>;

    /// Enqueues the jobs of these numbers at once: in a transaction of the caller's, if it can.
    async fn enqueue(&self, numbers: Range<u32>) -> anyhow::Result<()>;

    /// Enqueues one job the usual way.
    async fn enqueue_one(&self, number: u32) -> anyhow::Result<()>;

    /// Starts a worker that calls [`ran`](crate::runs::ran) for each job, and returns while it works.
    async fn work(&self) -> anyhow::Result<()>;
}

/// Lets a worker's future run on.
pub(crate) fn spawn<E: Display>(worker: impl Future<Output = Result<(), E>> + Send + 'static) {
    tokio::spawn(async move { ended(worker.await) });
}

/// A worker that ends while it should work ends the phase.
pub(crate) fn ended<E: Display>(end: Result<(), E>) {
    if let Err(error) = end {
        eprintln!("the worker ended: {error:#}");
        std::process::exit(1);
    }
}
