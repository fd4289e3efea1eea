//! Leases: the right of one worker to run its jobs.

use std::fmt;
use std::time::Duration;

/// So many signs of life are in a lease at least, which may all but one be lost before it is.
const BEATS: u32 = 13;
/// The longest time between two of them. A little more than a second, so that whatever else a worker says now and then has room in
/// what an idle one may cost: a statement a second.
pub const LONGEST_REST: Duration = Duration::from_millis(1_150);

/// The time between two signs of life of a worker whose lease lasts so long.
#[must_use]
pub fn rest(span: Duration) -> Duration {
    (span / BEATS).min(LONGEST_REST)
}

/// Nobody counts as silent sooner, if that isn't for half of his lease: a slow link takes its time.
const LEAST_SILENCE: Duration = Duration::from_millis(500);

/// A worker whose lease lasts so long is silent once its last sign of life was so much earlier than somebody else's: it has missed the
/// second one since, and may be stopped.
#[must_use]
pub fn silence(span: Duration) -> Duration {
    (rest(span) * 2).max(LEAST_SILENCE.min(span / 2))
}

/// A worker's registration. One lease covers every job that the worker runs; it is drawn at random when the worker
/// registers, and a worker that was declared gone comes back with a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease(pub i64);

/// Sixteen hexadecimal digits, as in the name of the worker's channel.
impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
