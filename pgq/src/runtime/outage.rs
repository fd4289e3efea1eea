//! What is said of a database that is away. Every service of a worker meets it, and meets it again until it is back: who operates
//! the worker is told by one voice, and not each time.
//!
//! ```text
//!          a service can't get through             another half minute, or for another reason
//! there ────────────────────────────▶ away: told ────────────────────────────────────▶ told again, with how long it has been
//!   ▲                                   │
//!   └──── told, with how long it was ◀──┘ each that couldn't get through has, or has ended
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Kind};
use crate::platform::{Clock, Mark};

/// How often it is told that the database is still away.
const AGAIN: Duration = Duration::from_secs(30);

/// Errors of another kind that come so soon say the same again.
const MOMENT: Duration = Duration::from_secs(1);

/// Whether the database is away, as the services of one worker see it. Outlives its sessions, as an outage may.
#[derive(Debug)]
pub(super) struct Outage {
    clock: Clock,
    away: Mutex<Option<Away>>,
}

#[derive(Debug)]
struct Away {
    since: Mark,
    told: Mark,
    /// Who couldn't get through.
    services: BTreeSet<&'static str>,
    /// The kinds of errors that were told: the first is often only that of a connection which broke, and the next says why.
    kinds: Vec<Kind>,
    /// Somebody has got through since somebody couldn't.
    reached: bool,
}

impl Outage {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, away: Mutex::default() }
    }

    /// Whether a service got through when it last tried.
    pub(super) fn reaches(&self, service: &str) -> bool {
        self.with(|away| away.as_ref().is_none_or(|away| !away.services.contains(service)))
    }

    pub(super) fn is_on(&self) -> bool {
        self.with(|away| away.is_some())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Option<Away>) -> T) -> T {
        look(&mut self.away.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lost(&self, service: &'static str, error: &Error) {
        let (first, span, services) = self.with(|away| {
            let (first, now) = (away.is_none(), self.clock.mark());
            let away = away.get_or_insert_with(|| Away {
                since: now.clone(),
                told: now.clone(),
                services: BTreeSet::new(),
                kinds: Vec::new(),
                reached: false,
            });
            away.services.insert(service);
            away.reached = false;
            let other = !away.kinds.contains(&error.kind());
            let due = first || away.told.elapsed() >= if other { MOMENT } else { AGAIN };
            if due {
                away.told = now;
            }
            if due && other {
                away.kinds.push(error.kind());
            }
            (first, due.then(|| away.since.elapsed()), Vec::from_iter(away.services.clone()).join(", "))
        });
        let Some(span) = span else { return };
        let error = error.in_line();
        if first {
            tracing::warn!(
                error,
                "the database is away: what runs goes on, nothing new begins, and it is tried again until it is back"
            );
        } else {
            tracing::warn!(error, services, "the database is still away, after {span:.1?}");
        }
    }

    fn over(&self, service: &'static str, reached: bool) {
        let back = self.with(|away| {
            let one = away.as_mut()?;
            one.services.remove(service);
            one.reached |= reached;
            if one.services.is_empty() { away.take() } else { None }
        });
        if let Some(Away { since, reached: true, .. }) = back {
            tracing::info!("the database is back after {:.1?}", since.elapsed());
        }
    }
}

/// A service's part in it. Dropped, it says nothing more: who has ended isn't waited for.
pub(super) struct Voice {
    outage: Arc<Outage>,
    service: &'static str,
    /// Whether it couldn't get through the last time.
    cut_off: bool,
}

impl Voice {
    pub(super) fn of(outage: &Arc<Outage>, service: &'static str) -> Self {
        Self { outage: Arc::clone(outage), service, cut_off: false }
    }

    /// It couldn't get through.
    pub(super) fn lost(&mut self, error: &Error) {
        self.cut_off = true;
        self.outage.lost(self.service, error);
    }

    /// It got through.
    pub(super) fn reached(&mut self) {
        if std::mem::take(&mut self.cut_off) {
            self.outage.over(self.service, true);
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        if self.cut_off {
            self.outage.over(self.service, false);
        }
    }
}
