//! Gates that are to be looked at again, as somebody had them locked.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How soon: others hold a gate for milliseconds.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Those of one session, which nobody else knows of.
#[derive(Debug, Default)]
pub(super) struct Unseen(Mutex<BTreeSet<String>>);

impl Unseen {
    fn gates(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.gates().iter().cloned().collect()
    }

    /// These were looked at, but for the second.
    pub(super) fn looked_at(&self, gates: &[String], missed: &[String]) {
        let mut unseen = self.gates();
        unseen.retain(|gate| !gates.contains(gate));
        unseen.extend(missed.iter().cloned());
    }

    /// When to look again, where there are any.
    pub(super) fn due(&self) -> Option<Duration> {
        (!self.gates().is_empty()).then_some(AGAIN)
    }
}
