//! Telling the program about the jobs that it has given up.
//!
//! Told is what was written, and once: who is told finds the job discarded, and one whose end came too late isn't told. Where
//! the answer to an end is lost, it is looked up what stands (`completer.rs`). If the process dies in between, or the answer to a
//! rescue is lost, nobody is told.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::backend::Discarded;
use crate::platform::{spawn, within};
use crate::task::Resources;

/// How long the program has to take note of one job.
const LONGEST: Duration = Duration::from_secs(10);
/// How many jobs may wait to be told. Where thousands are given up, one more message helps nobody.
const MOST: usize = 1_000;

type Hook = dyn Fn(Discarded) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The jobs that were given up and of which the program hasn't been told.
pub(super) struct Discards {
    hook: Arc<Hook>,
    waiting: Mutex<VecDeque<Discarded>>,
    signal: Signal,
}

impl Discards {
    pub(super) fn told_to<R: Resources>(resources: &Arc<R>) -> Self {
        let resources = Arc::clone(resources);
        let hook =
            move |job| -> Pin<Box<dyn Future<Output = ()> + Send>> { Box::pin(Arc::clone(&resources).on_discard(job)) };
        Self { hook: Arc::new(hook), waiting: Mutex::default(), signal: Signal::new() }
    }

    /// A job is discarded.
    pub(super) fn tell(&self, job: Discarded) {
        let full = self.with(|waiting| {
            let full = waiting.len() >= MOST;
            if !full {
                waiting.push_back(job);
            }
            full
        });
        if full {
            tracing::warn!("more jobs are discarded than `on_discard` takes note of: it isn't told of all");
        }
        self.signal.raise();
    }

    /// Tells of all, one after the other.
    pub(super) async fn flush(&self) {
        while self.tell_one().await {}
    }

    async fn tell_one(&self) -> bool {
        let Some(job) = self.with(VecDeque::pop_front) else { return false };
        let (id, hook) = (job.id, Arc::clone(&self.hook));
        // On its own, so that a panic of it ends nothing else.
        let mut told = spawn(async move { hook(job).await });
        match within(LONGEST, &mut told).await {
            Some(Ok(())) => {}
            Some(Err(_)) => tracing::warn!(job = %id, "`on_discard` panicked"),
            None => {
                told.abort();
                tracing::warn!(job = %id, "`on_discard` took longer than {LONGEST:?} and was dropped");
            }
        }
        true
    }

    fn with<T>(&self, look: impl FnOnce(&mut VecDeque<Discarded>) -> T) -> T {
        look(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Discards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|waiting| f.debug_tuple("Discards").field(waiting).finish())
    }
}

/// Tells the program, one job at a time.
pub(super) struct Herald(pub(super) Arc<Engine>);

impl Service for Herald {
    const NAME: &'static str = "herald";
    const LEAST: Duration = Duration::MAX;

    fn signal(&self) -> Signal {
        self.0.discards.signal.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        Ok(if self.0.discards.tell_one().await { Next::Again } else { Next::OnSignal })
    }
}
