//! The worker: a value that runs tasks inside a larger program.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::WorkerBuilder;
use super::plan::{Duties, Plan};
use super::shutdown::{Life, Stopper, Supervisor};
use crate::backend::Lease;
use crate::error::{Error, Kind, Result};
use crate::platform::{Terminations, spawn};
use crate::task::{Resources, TaskEntry};

/// A worker that runs.
///
/// Dropping it stops it as [`Worker::stop`] does, but waits for nothing: keep it, and stop it.
#[must_use = "dropping a worker stops it"]
pub struct Worker<R: Resources> {
    stop: Stopper,
    tasks: Vec<TaskEntry>,
    doubt: Option<String>,
    duties: Duties,
    lease: Lease,
    supervisor: Option<JoinHandle<Result<()>>>,
    resources: PhantomData<fn() -> R>,
}

impl<R: Resources> Worker<R> {
    /// A worker in the making.
    pub fn builder() -> WorkerBuilder<R> {
        WorkerBuilder::new()
    }

    /// Starts the services of a worker that is ready.
    pub(super) async fn start(plan: Plan<R>, drain: Duration, doubt: Option<String>) -> Result<Self> {
        let (stop, tasks, duties) = (Stopper::default(), plan.entries.clone(), plan.duties);
        let life = plan.patience.with(|| Life::begin(&plan, &stop)).await?;
        let schedules = plan.program.iter().filter(|task| task.options.schedule().is_some()).count();
        if duties == Duties::Tasks && schedules > 0 {
            tracing::info!(
                schedules,
                "this worker makes no jobs of schedules, also not of those that it declares: others have to"
            );
        }
        let lease = life.lease();
        let supervisor = Supervisor { plan, life, drain, stop: stop.clone() };
        let supervisor = Some(spawn(supervisor.supervise()));
        Ok(Self { stop, tasks, doubt, duties, lease, supervisor, resources: PhantomData })
    }

    /// What asks it to stop, for whoever doesn't have the worker itself.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stop.clone()
    }

    /// Its tasks, by crate and name.
    pub(super) fn tasks(&self) -> &[TaskEntry] {
        &self.tasks
    }

    /// What seemed wrong with its connection when it started.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    pub(super) fn duties(&self) -> Duties {
        self.duties
    }

    /// Under which it has begun.
    pub(super) fn lease(&self) -> Lease {
        self.lease
    }

    /// Stops it: nothing more is claimed, handlers may go on for the drain period, then their tokens fire and what is
    /// still left is handed back with its attempt refunded. All ends that are known are written.
    ///
    /// # Errors
    /// The last ends could not be written; their jobs run again once the lease is over.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.ask();
        self.ended().await
    }

    /// Waits until it has ended, because somebody asked its [`stopper`](Worker::stopper).
    /// Cancelling the wait is harmless, so that it can stand in a `select!` beside other reasons to stop.
    ///
    /// # Errors
    /// As [`Worker::stop`].
    pub async fn ended(&mut self) -> Result<()> {
        match &mut self.supervisor {
            None => Ok(()),
            Some(supervisor) => {
                let ended = supervisor.await;
                self.supervisor = None;
                ended.unwrap_or_else(|error| {
                    Err(Error::new(Kind::Interrupted, "the runtime was shut down").because(error))
                })
            }
        }
    }

    /// Runs until the system asks the process to end (SIGTERM, SIGINT; Ctrl-C elsewhere), then stops as [`Worker::stop`]
    /// does; a second request hands back at once what still runs. This is how [`run`](crate::run) ends.
    ///
    /// # Errors
    /// As [`Worker::ended`].
    pub async fn until_terminated(self) -> Result<()> {
        let terminations = Terminations::listen()
            .map_err(|error| Error::new(Kind::Interrupted, "the system's signals can't be heard").because(error))?;
        self.until(terminations).await
    }

    pub(super) async fn until(mut self, mut terminations: Terminations) -> Result<()> {
        let stop = self.stopper();
        spawn(async move {
            terminations.next().await;
            stop.ask();
            terminations.next().await;
            stop.insist();
        });
        self.ended().await
    }
}

impl<R: Resources> Drop for Worker<R> {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

impl<R: Resources> fmt::Debug for Worker<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}
