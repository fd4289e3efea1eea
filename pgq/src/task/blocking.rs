//! Where blocking handlers run: on threads of a worker's own, so many at most, so that they hold up neither the runtime nor
//! what else uses its pool for blocking work (files, name look-ups).
//!
//! A thread can't be stopped. A handler that goes on when it should have ended (its time, its lease or its worker is over, or its
//! job is cancelled) is left behind: its result is ignored, and its place is free when the thread really ends. Where it is bounded
//! how many attempts of its task run at once its attempt ends then too, and counts until then (`executor.rs`).

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::Attempt;
use crate::platform::{Clock, Mark, Threads};

/// The threads of a worker for blocking handlers.
#[derive(Debug)]
pub(crate) struct Blocking {
    total: usize,
    places: Arc<Semaphore>,
    threads: OnceLock<Threads>,
    clock: Clock,
    /// Called when there is a place where there was none.
    freed: Freed,
}

/// What to do when there is a place again.
struct Freed(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Freed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Freed")
    }
}

/// A place for one blocking handler, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    blocking: Arc<Blocking>,
}

/// Whether a thread is at work on an attempt.
#[derive(Debug, Default)]
pub(crate) struct Stint {
    on: AtomicBool,
    over: Notify,
}

impl Stint {
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    /// Waits until none is; for one who waits.
    pub(crate) async fn over(&self) {
        while self.is_on() {
            self.over.notified().await;
        }
    }

    fn end(&self) {
        self.on.store(false, Ordering::SeqCst);
        self.over.notify_one();
    }
}

impl Blocking {
    pub(crate) fn new(total: usize, clock: Clock, freed: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let (places, freed) = (Arc::new(Semaphore::new(total)), Freed(Box::new(freed)));
        Arc::new(Self { total, places, threads: OnceLock::new(), clock, freed })
    }

    /// How many more could begin now.
    pub(crate) fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// Whether a thread is at work, or about to be.
    pub(crate) fn is_busy(&self) -> bool {
        self.free() < self.total
    }

    /// A place, if there is one now.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { permit: Some(permit), blocking: Arc::clone(self) })
    }

    async fn wait_for_place(self: &Arc<Self>) -> Place {
        // It is never closed, so there is always one in the end.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        Place { permit, blocking: Arc::clone(self) }
    }

    fn threads(&self) -> std::io::Result<&Threads> {
        if let Some(threads) = self.threads.get() {
            return Ok(threads);
        }
        let threads = Threads::new("pgq-blocking", self.total)?;
        Ok(self.threads.get_or_init(|| threads))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let first = self.blocking.free() == 0;
        self.permit = None;
        if first {
            (self.blocking.freed.0)();
        }
    }
}

/// Runs the handler of a blocking task on a thread, once there is a place. Its panic goes on here. Dropped, the thread is left
/// behind.
pub(super) async fn run<T: Send + 'static>(attempt: Arc<Attempt>, handler: impl FnOnce() -> T + Send + 'static) -> T {
    let blocking = Arc::clone(&attempt.blocking);
    let reserved = attempt.reserved();
    let place = if let Some(place) = reserved { place } else { blocking.wait_for_place().await };
    if attempt.token.is_cancelled() {
        // It never began, and doesn't now. Whoever cancelled it waits a moment for its end, and then does without.
        drop(place);
        match std::future::pending::<Infallible>().await {}
    }
    let threads = match blocking.threads() {
        Ok(threads) => threads,
        Err(error) => panic!("the threads for blocking tasks could not be started: {error}"),
    };
    let left = Arc::new(AtomicBool::new(false));
    attempt.stint.on.store(true, Ordering::SeqCst);
    let work =
        Work { attempt: Arc::clone(&attempt), left: Arc::clone(&left), since: blocking.clock.mark(), _place: place };
    let span = attempt.span.clone();
    let mut waiting = Waiting { attempt, left, ended: false };
    let ended = threads.run(move || work.done(span.in_scope(handler))).await;
    waiting.ended = true;
    match ended {
        Ok(output) => output,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A handler on its thread.
struct Work {
    attempt: Arc<Attempt>,
    left: Arc<AtomicBool>,
    since: Mark,
    _place: Place,
}

impl Work {
    /// Keeps the place until here.
    fn done<T>(self, output: T) -> T {
        drop(self);
        output
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.attempt.stint.end();
        if self.left.load(Ordering::SeqCst) {
            let Attempt { id: job, task, number: attempt, .. } = &*self.attempt;
            let ran = self.since.elapsed();
            tracing::warn!(%job, task, attempt, ?ran, "a handler that was left behind has ended: its result is ignored");
        }
    }
}

/// An attempt that waits for its handler's thread.
struct Waiting {
    attempt: Arc<Attempt>,
    left: Arc<AtomicBool>,
    ended: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.ended {
            self.left.store(true, Ordering::SeqCst);
            let Attempt { id: job, task, number: attempt, .. } = &*self.attempt;
            tracing::warn!(%job, task, attempt, "a blocking handler goes on though it is to end: it can't be stopped");
        }
    }
}
