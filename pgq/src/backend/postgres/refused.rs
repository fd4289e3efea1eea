//! Rows that the database refuses to do something to, as by a trigger of the user's or for damaged data.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::platform::{Clock, Mark};

/// For how long they are left alone.
const ASIDE: Duration = Duration::from_mins(1);
/// For how long it is known that one was told of.
const KNOWN: Duration = Duration::from_hours(1);

/// What is done to many rows at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Chore {
    Promote,
    Free,
    Expire,
    Prune,
    Cancel,
    /// Of a gate, by the hash of its name.
    Unpark,
}

impl fmt::Display for Chore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Promote => "a job whose time has come can't be made available",
            Self::Free => "a job whose worker is gone can't be freed",
            Self::Expire => "a job that nobody began in time can't be discarded",
            Self::Prune => "a job that was kept for long enough can't be deleted",
            Self::Cancel => "a job that was to be cancelled while it ran can't be",
            Self::Unpark => "who waits at this gate of a limit key can't be made available",
        })
    }
}

#[derive(Debug)]
pub(super) struct Refused {
    clock: Clock,
    rows: BTreeMap<(Chore, i64), Mark>,
}

impl Refused {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, rows: BTreeMap::new() }
    }

    /// Leaves it aside; whether it wasn't known that it is refused.
    pub(super) fn add(&mut self, chore: Chore, row: i64) -> bool {
        self.rows.retain(|_, since| since.elapsed() < KNOWN);
        self.rows.insert((chore, row), self.clock.mark()).is_none()
    }

    /// Those whose time isn't over.
    pub(super) fn rows(&self, chore: Chore) -> Vec<i64> {
        let of_it = self.rows.range((chore, i64::MIN)..=(chore, i64::MAX));
        of_it.filter(|(_, since)| since.elapsed() < ASIDE).map(|((_, row), _)| *row).collect()
    }
}
