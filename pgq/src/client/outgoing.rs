//! What a client does to a job before it goes: its limits, and code of one's own.

use std::fmt;
use std::sync::Arc;

use pgq_core::{Headers, NewJob};

use super::job::check_headers;
use crate::BoxError;
use crate::error::{Error, Result};

/// A job on its way, as [`ClientBuilder::on_enqueue`](crate::ClientBuilder::on_enqueue) sees it.
#[derive(Debug)]
pub struct Outgoing<'j> {
    job: &'j mut NewJob,
}

impl Outgoing<'_> {
    /// The canonical name of its task.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.job.task
    }

    /// The lane that it will wait in.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.job.queue
    }

    /// Text that travels along.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.job.headers
    }

    /// Sets a header, in the place of one of that name.
    pub fn header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.job.headers.insert(name.into(), value.into());
    }
}

type Check = dyn Fn(&mut Outgoing<'_>) -> Result<(), BoxError> + Send + Sync;

/// What every job of a client passes.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) max_payload: usize,
    checks: Vec<Arc<Check>>,
}

impl Gate {
    pub(super) fn new(max_payload: usize) -> Self {
        Self { max_payload, checks: Vec::new() }
    }

    pub(super) fn add(&mut self, check: impl Fn(&mut Outgoing<'_>) -> Result<(), BoxError> + Send + Sync + 'static) {
        self.checks.push(Arc::new(check));
    }

    /// Lets a job pass, with what the checks add to it.
    pub(super) fn pass(&self, job: &mut NewJob) -> Result<()> {
        for check in &self.checks {
            check(&mut Outgoing { job }).map_err(|error| refused(&job.task, error))?;
        }
        if self.checks.is_empty() {
            return Ok(());
        }
        check_headers(&job.headers).map_err(|error| error.about_task(&job.task))
    }
}

fn refused(task: &str, error: BoxError) -> Error {
    Error::invalid(format!("the client's `on_enqueue` refused the job: {error}")).because(error).about_task(task)
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("max_payload", &self.max_payload).finish_non_exhaustive()
    }
}
