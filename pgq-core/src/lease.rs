//! Leases: the right of one worker to run its jobs.

use std::fmt;

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
