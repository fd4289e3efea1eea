//! A worker that can't begin. What passes by itself, as a server that is full or starts up, or a connection that was ended, is waited
//! for: for half a minute, or for as long as it takes where the worker restarts, which then waits for a server that is away too, and
//! for its resources.
//!
//! What doesn't pass ends it at once in any case: a setting that isn't valid, a password that is wrong, tables that are absent.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::run::say;
use super::service::backoff;
use crate::error::{Error, Result};
use crate::platform::{Mark, Platform};

/// For how long a worker that doesn't restart waits.
const LONGEST: Duration = Duration::from_secs(30);

/// How often the same is told again.
const AGAIN: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Patience {
    platform: Platform,
    since: Mark,
    restarts: bool,
    /// Whether standard error is told where no log is.
    aloud: bool,
    /// What was told last, and when.
    told: Arc<Mutex<Option<(String, Mark)>>>,
}

impl Patience {
    /// From now on.
    pub(super) fn new(platform: &Platform, restarts: bool, aloud: bool) -> Self {
        Self { platform: platform.clone(), since: platform.clock.mark(), restarts, aloud, told: Arc::default() }
    }

    /// Does one step of beginning, again after each error that is worth it.
    pub(super) async fn with<T, F>(&self, step: impl Fn() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let mut failures = 0;
        loop {
            match step().await {
                Err(error) if self.bears(&error) => {
                    failures += 1;
                    self.rest(&error, failures).await;
                }
                done => return done,
            }
        }
    }

    /// A pause, longer each time, of which the operator is told where there is something new to tell.
    pub(super) async fn rest(&self, error: &Error, failures: u32) {
        let pause = backoff(failures, self.platform.random());
        let error = error.in_line();
        if self.is_news(&error) {
            if self.aloud && !tracing::dispatcher::has_been_set() {
                say(&format!("pgq: trying again in {pause:.1?}: {error}"));
            }
            tracing::warn!(error, ?pause, restarts = self.restarts, "this worker can't begin yet and tries again");
        }
        self.platform.clock.sleep(pause).await;
    }

    /// Whether it isn't what was told a moment ago.
    fn is_news(&self, line: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told.as_ref().is_some_and(|(last, mark)| last == line && mark.elapsed() < AGAIN);
        if !known {
            *told = Some((line.to_owned(), self.platform.clock.mark()));
        }
        !known
    }

    fn bears(&self, error: &Error) -> bool {
        if self.restarts { error.may_be_mended() } else { error.is_passing() && self.since.elapsed() < LONGEST }
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("restarts", &self.restarts).finish_non_exhaustive()
    }
}
