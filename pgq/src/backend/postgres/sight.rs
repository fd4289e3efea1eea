//! Who is gone, by sight: a worker that is killed leaves its connections behind, and the server ends them at once. So nobody
//! need wait until its lease is over.
//!
//! Every connection of a worker holds the advisory lock of its lease, shared. A worker is lost when
//!
//! ```text
//! its lock was held ──▶ it isn't ──▶ half a second later it still isn't, without a beat meanwhile ──▶ lost
//!        ▲                  │ held again, or a beat
//!        └──────────────────┘
//! ```
//!
//! and all of it was seen through one connection of the observer's. To see that the lock was held it is enough to see what is
//! only done on a connection that holds it: a worker that wasn't there at the last look has registered since, and one whose
//! beat is another has beaten. So who dies between two looks is missed too. (Where connections don't tell, as behind a
//! pooler, a worker says so when it registers, and nobody looks for it.) A server that restarts or fails over drops every lock and
//! every observer's connection too, so nobody has seen anything, and no storm follows. A worker whose connections were
//! ended by somebody, and who connects again, beats again. Who is stopped but not dead keeps its connections: that is what
//! leases are for. When the observer dies, others have seen the same.

use std::collections::HashMap;
use std::time::Duration;

use pgq_core::{Lease, Timestamp};

use crate::platform::{Clock, Mark};

/// For how long a worker must be out of sight.
const LONG: Duration = Duration::from_millis(500);

/// What was seen of the others through one connection.
#[derive(Debug, Default)]
pub(super) struct Sight {
    eyes: i32,
    workers: HashMap<Lease, Seen>,
}

#[derive(Debug)]
enum Seen {
    /// Never, so it can't be missed.
    Never {
        beat: Timestamp,
    },
    There,
    Absent {
        beat: Timestamp,
        since: Mark,
    },
}

/// A worker as it looks now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) lease: Lease,
    pub(super) beat: Timestamp,
    pub(super) held: bool,
}

impl Sight {
    /// Takes in what the connection `eyes` sees; which workers are lost, with their last beats.
    pub(super) fn look(&mut self, eyes: i32, now: &[Sighting], clock: &Clock) -> Vec<(Lease, Timestamp)> {
        let first = self.eyes != eyes;
        let mut before = if first { HashMap::new() } else { std::mem::take(&mut self.workers) };
        *self = Self { eyes, workers: HashMap::with_capacity(now.len()) };
        let mut lost = Vec::new();
        for sighting in now {
            // Who wasn't there at the last look has registered since, on a connection that held the lock.
            let unknown = if first { Seen::Never { beat: sighting.beat } } else { Seen::There };
            let seen = before.remove(&sighting.lease).unwrap_or(unknown).next(sighting, clock);
            if let Seen::Absent { since, .. } = &seen
                && since.elapsed() >= LONG
            {
                lost.push((sighting.lease, sighting.beat));
            }
            self.workers.insert(sighting.lease, seen);
        }
        lost
    }

    /// Whether somebody was there and isn't now.
    pub(super) fn misses_somebody(&self) -> bool {
        self.workers.values().any(|seen| matches!(seen, Seen::Absent { .. }))
    }
}

impl Seen {
    fn next(self, now: &Sighting, clock: &Clock) -> Self {
        match self {
            _ if now.held => Self::There,
            Self::Never { beat } if beat == now.beat => Self::Never { beat },
            Self::Absent { beat, since } if beat == now.beat => Self::Absent { beat, since },
            Self::Never { .. } | Self::There | Self::Absent { .. } => {
                Self::Absent { beat: now.beat, since: clock.mark() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::ManualClock;

    const LEASE: Lease = Lease(7);

    struct Watch {
        sight: Sight,
        clock: ManualClock,
    }

    impl Watch {
        fn new() -> Self {
            Self { sight: Sight::default(), clock: ManualClock::at(Timestamp::EPOCH) }
        }

        /// What is made of a worker that is there or isn't, after another half second.
        fn see(&mut self, eyes: i32, held: bool, beat: i64) -> bool {
            self.clock.advance(LONG);
            let sighting = Sighting { lease: LEASE, beat: Timestamp::from_micros(beat), held };
            !self.sight.look(eyes, &[sighting], &Clock::Manual(self.clock.clone())).is_empty()
        }
    }

    #[test]
    fn who_was_there_and_is_missed_for_half_a_second_is_lost() {
        let mut watch = Watch::new();
        assert!(!watch.see(1, true, 0));
        assert!(!watch.see(1, false, 0));
        assert!(watch.sight.misses_somebody());
        assert!(watch.see(1, false, 0));
    }

    #[test]
    fn who_was_never_there_is_not_missed() {
        let mut watch = Watch::new();
        assert!(!watch.see(1, false, 0) && !watch.see(1, false, 0) && !watch.see(1, false, 0));
        assert!(!watch.sight.misses_somebody());
    }

    #[test]
    fn who_beats_or_registers_and_is_lost_between_two_looks_is_missed() {
        let mut watch = Watch::new();
        assert!(!watch.see(1, false, 0) && !watch.see(1, false, 1));
        assert!(watch.sight.misses_somebody());
        assert!(watch.see(1, false, 1));
        let mut watch = Watch::new();
        watch.sight.look(1, &[], &Clock::Manual(watch.clock.clone()));
        assert!(!watch.see(1, false, 0));
        assert!(watch.see(1, false, 0));
    }

    #[test]
    fn who_comes_back_or_beats_is_not_lost() {
        let mut watch = Watch::new();
        assert!(!watch.see(1, true, 0) && !watch.see(1, false, 0) && !watch.see(1, true, 0));
        assert!(!watch.see(1, false, 0) && !watch.see(1, false, 1), "it has beaten");
        assert!(watch.see(1, false, 1));
    }

    #[test]
    fn another_connection_has_seen_nothing() {
        let mut watch = Watch::new();
        assert!(!watch.see(1, true, 0) && !watch.see(1, false, 0));
        assert!(!watch.see(2, false, 0) && !watch.see(2, false, 0));
    }
}
