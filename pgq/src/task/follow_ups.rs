//! Jobs that a handler enqueues with its own completion.

use std::sync::{Mutex, PoisonError};

use pgq_core::NewJob;

use crate::error::{Error, Result};

/// The most follow-ups of one attempt: they are one statement with its completion.
const MOST: usize = 10_000;

/// What an attempt will leave behind if it completes. Once it has ended nothing more is taken.
#[derive(Debug)]
pub(crate) struct FollowUps(Mutex<Option<Vec<NewJob>>>);

impl Default for FollowUps {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

impl FollowUps {
    pub(crate) fn push(&self, job: NewJob) -> Result<()> {
        self.with(|jobs| match jobs {
            Some(jobs) if jobs.len() < MOST => {
                jobs.push(job);
                Ok(())
            }
            Some(_) => Err(Error::invalid(format!("expected at most {MOST} follow-ups of one attempt"))),
            None => Err(Error::invalid("expected an attempt that still runs: this one has ended")),
        })
    }

    pub(crate) fn take(&self) -> Vec<NewJob> {
        self.with(Option::take).unwrap_or_default()
    }

    fn with<T>(&self, look: impl FnOnce(&mut Option<Vec<NewJob>>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
