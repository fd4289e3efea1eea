//! What was done to the fleet, and when.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::limits::{Bounds, Choice};
use crate::tasks::LEASE;
use crate::timeline::FOLLOW;

/// Who is stopped for longer is declared gone, and starts nothing with what it had: a lease, and what others need to see it.
const LOST: f64 = LEASE.as_secs_f64() + 2.0;

/// By the clock that the database and all workers go by, as they are on one machine: seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// An override that was set, or cleared where it has no bounds.
pub(crate) struct Set {
    pub(crate) choice: &'static Choice,
    pub(crate) called: f64,
    pub(crate) done: f64,
    pub(crate) bounds: Option<Bounds>,
}

#[derive(Default)]
pub(crate) struct Deeds {
    pub(crate) sets: Vec<Set>,
    /// From when to when workers were stopped.
    pub(crate) stops: Vec<(f64, f64)>,
    /// All of them in words.
    pub(crate) told: Vec<(f64, String)>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Deeds {
    pub(crate) fn tell(&mut self, kind: &'static str, what: String) {
        *self.counts.entry(kind).or_default() += 1;
        self.told.push((now(), what));
    }

    /// What else happened that may explain something.
    pub(crate) fn add(&mut self, told: Vec<(f64, String)>) {
        self.told.extend(told);
        self.told.sort_by(|a, b| a.0.total_cmp(&b.0));
    }

    /// By when all workers follow what was done by then: those that were stopped meanwhile, after they go on.
    pub(crate) fn settled(&self, done: f64) -> f64 {
        let mut settled = done + FOLLOW;
        let mut stops: Vec<_> = self.stops.iter().filter(|(off, on)| on.min(off + LOST) > done).collect();
        stops.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (off, on) in stops {
            if *off < settled {
                settled = settled.max(on.min(off + LOST) + FOLLOW);
            }
        }
        settled
    }

    /// Those from a little before an instant until then.
    pub(crate) fn around(&self, at: f64) -> impl Iterator<Item = &(f64, String)> {
        self.told.iter().filter(move |(told, _)| (at - 12.0..at + 0.5).contains(told))
    }
}
