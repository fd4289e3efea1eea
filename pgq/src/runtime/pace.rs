//! Who takes long: a handler that holds up a thread of the runtime, and an attempt that runs for very long. Both are named in
//! the log, and nothing else is done about them.
//!
//! A handler is told of when its poll has ended, and from the heartbeat's thread while it lasts: with all threads of the
//! runtime held up, nobody else could.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use pgq_core::{JobId, Outcome, Timestamp};
use tracing::instrument::Instrumented;

use super::guard::Guarded;
use super::held::Grip;
use crate::backend::Steps;
use crate::platform::{Mark, uptime};
use crate::task::Gauge;

/// A poll that takes longer holds up a thread.
const LONGEST: Duration = Duration::from_secs(1);
/// After so long it is told of while it lasts.
const STUCK: Duration = Duration::from_secs(5);
/// For so long after it held up a thread a handler may be why something else took too long.
const LATELY: Duration = Duration::from_secs(15);
/// A task is told of once in so much time.
const QUIET: Duration = Duration::from_mins(1);
/// An attempt is told of each time it has run for so long again without progress.
const LONG: Duration = Duration::from_mins(10);

/// How an attempt gets on.
#[derive(Debug)]
pub(super) struct Pace {
    job: JobId,
    task: &'static str,
    attempt: u16,
    started: Timestamp,
    /// Since when it is polled, in µs of [`uptime`]; 0 where it isn't.
    polled: AtomicU64,
    /// How often it was told that it runs for long, since its last progress.
    told: AtomicU32,
    gauge: Arc<Gauge>,
    /// How far it had come when it was looked at, and since when.
    seen: Mutex<(Option<Steps>, Timestamp)>,
    /// When it failed, if it has.
    failed: OnceLock<Mark>,
    manners: Arc<Manners>,
}

/// How the tasks have behaved.
#[derive(Debug, Default)]
pub(super) struct Manners {
    /// When each was told of.
    told: Mutex<HashMap<&'static str, Duration>>,
    /// Which one held up a thread last, and until when.
    held_up: Mutex<Option<(&'static str, Duration)>>,
}

impl Manners {
    /// The task that held up a thread of the runtime a moment ago, if one did.
    pub(super) fn held_up(&self) -> Option<&'static str> {
        let held_up = *self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
        held_up.filter(|(_, until)| uptime().saturating_sub(*until) < LATELY).map(|(task, _)| task)
    }

    fn note(&self, task: &'static str, until: Duration) {
        *self.held_up.lock().unwrap_or_else(PoisonError::into_inner) = Some((task, until));
    }

    /// Whether it may be told of again.
    fn allow(&self, task: &'static str, now: Duration) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = told.get(task).is_some_and(|last| now.saturating_sub(*last) < QUIET);
        if !quiet {
            told.insert(task, now);
        }
        !quiet
    }
}

impl Pace {
    pub(super) fn new(
        job: JobId,
        task: &'static str,
        attempt: u16,
        started: Timestamp,
        gauge: &Arc<Gauge>,
        manners: &Arc<Manners>,
    ) -> Self {
        let (polled, told) = (AtomicU64::new(0), AtomicU32::new(0));
        let (gauge, seen) = (Arc::clone(gauge), Mutex::new((None, started)));
        let failed = OnceLock::new();
        Self { job, task, attempt, started, polled, told, gauge, seen, failed, manners: Arc::clone(manners) }
    }

    /// Its task, and which attempt it is.
    pub(super) fn whose(&self) -> (&'static str, u16) {
        (self.task, self.attempt)
    }

    /// It has failed just now.
    pub(super) fn fail(&self, now: Mark) {
        let _ = self.failed.set(now);
    }

    /// How long ago it failed.
    pub(super) fn over(&self) -> Duration {
        self.failed.get().map(Mark::elapsed).unwrap_or_default()
    }

    /// Runs one poll of it.
    fn poll<T>(&self, poll: impl FnOnce() -> T) -> T {
        let since = uptime();
        self.polled.store(micros(since), Ordering::Relaxed);
        let polled = poll();
        self.polled.store(0, Ordering::Relaxed);
        let now = uptime();
        let took = now.saturating_sub(since);
        if took > LONGEST {
            self.manners.note(self.task, now);
        }
        if took > LONGEST && self.manners.allow(self.task, now) {
            let Self { job, task, attempt, .. } = self;
            tracing::warn!(%job, task, attempt, ?took, "{HELD_UP}");
        }
        polled
    }

    /// Whether it holds up its thread now.
    pub(super) fn holds_up(&self) -> bool {
        let since = Duration::from_micros(self.polled.load(Ordering::Relaxed));
        !since.is_zero() && uptime().saturating_sub(since) > LONGEST
    }

    /// Looks at it from another thread.
    pub(super) fn look(&self, now: Timestamp) {
        let Self { job, task, attempt, .. } = self;
        let (up, since) = (uptime(), Duration::from_micros(self.polled.load(Ordering::Relaxed)));
        let for_now = up.saturating_sub(since);
        if !since.is_zero() && for_now > STUCK && self.manners.allow(task, up) {
            tracing::warn!(%job, task, attempt, ?for_now, "{HELD_UP}");
        }
        let (ran, still) = (now.since(self.started), self.stands_still(now));
        let times = u32::try_from(still.as_micros() / LONG.as_micros()).unwrap_or(u32::MAX);
        if self.told.fetch_max(times, Ordering::Relaxed) < times {
            tracing::info!(%job, task, attempt, ?ran, ?still, "an attempt runs for long");
        }
    }

    /// For how long it has made no progress. What comes between two looks is seen by the second: so a handler that says how far
    /// it is needn't read a clock.
    fn stands_still(&self, now: Timestamp) -> Duration {
        let said = self.gauge.said();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if said != seen.0 {
            *seen = (said, now);
            self.told.store(0, Ordering::Relaxed);
        }
        now.since(seen.1)
    }
}

/// A handler whose polls are watched.
pub(super) struct Paced {
    handler: Instrumented<Guarded>,
    grip: Grip,
}

impl Paced {
    pub(super) fn new(handler: Instrumented<Guarded>, grip: Grip) -> Self {
        Self { handler, grip }
    }
}

impl Future for Paced {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Self { handler, grip } = &mut *self;
        grip.pace().poll(|| Pin::new(handler).poll(context))
    }
}

const HELD_UP: &str =
    "a handler holds up a thread of the runtime: make its task a plain `fn`, which has threads of its own";

/// Never 0.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1)
}
