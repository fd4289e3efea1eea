//! What a beat sees of what there is to do.

use std::time::Duration;

use super::store::Store;
use crate::backend::{GATE_LATE, LookFor, Outlook};

impl Store {
    /// But whose lease ends next, which who asks has seen.
    pub(super) fn look(&self, look_for: &LookFor) -> Outlook {
        Outlook {
            ready: !self.heads(&look_for.wants, look_for.suspect).is_empty(),
            due: if look_for.due { self.first_due() } else { None },
            now: self.now,
            mark: if look_for.schedules { self.mark() } else { 0 },
            overdue: look_for.schedules && self.is_overdue(),
            lapse: None,
            lost: look_for.lost && self.has_lost(),
            forgetful: false,
        }
    }

    fn has_lost(&self) -> bool {
        !self.untold.is_empty() || self.held.keys().any(|holder| !self.workers.contains_key(holder))
    }

    /// How long until the first job is due; or a gate is, at which nobody has looked in time.
    fn first_due(&self) -> Option<Duration> {
        let job = self.deferred.first().map(|first| first.0);
        let gate = self.next_open().filter(|opens| self.now.since(*opens) >= GATE_LATE);
        job.into_iter().chain(gate).min().map(|first| first.since(self.now))
    }
}
