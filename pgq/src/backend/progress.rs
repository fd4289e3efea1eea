//! How far attempts have come.

use pgq_core::{JobId, Timestamp};

/// So many steps are done, of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    done: u64,
    total: u64,
}

impl Steps {
    /// Numbers above 2^63 - 1 count as that.
    #[must_use]
    pub const fn new(done: u64, total: u64) -> Self {
        Self { done: bounded(done), total: bounded(total) }
    }

    /// How many are done.
    #[must_use]
    pub const fn done(self) -> u64 {
        self.done
    }

    /// Of how many; 0 where nobody knows.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.total
    }

    /// As it was told at a time.
    pub(crate) const fn at(self, told: Timestamp) -> Progress {
        Progress { done: self.done, total: self.total, told }
    }
}

/// PostgreSQL's `bigint` has no more.
const fn bounded(steps: u64) -> u64 {
    if steps > i64::MAX.cast_unsigned() { i64::MAX.cast_unsigned() } else { steps }
}

/// How far one claim of a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Which job.
    pub id: JobId,
    /// Which claim.
    pub epoch: u32,
    /// How far.
    pub steps: Steps,
}

/// How far a job's attempt has come, or had when it ended, in what its handler counts
/// ([`Context::progress`](crate::Context::progress)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// So much is done.
    pub done: u64,
    /// Of so much; 0 where the handler doesn't know. It may be less than what is done: both are as the handler says them.
    pub total: u64,
    /// When the worker told it: within about a second after the handler.
    pub told: Timestamp,
}

impl Progress {
    /// The part that is done, from 0 to 1; `None` where the total isn't known.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "it is for a bar on a screen")]
    pub fn fraction(&self) -> Option<f64> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_between_none_and_all() {
        let fraction = |done, total| Steps::new(done, total).at(Timestamp::EPOCH).fraction();
        assert_eq!(fraction(1, 4), Some(0.25));
        assert_eq!(fraction(5, 4), Some(1.0));
        assert_eq!(fraction(5, 0), None);
        assert_eq!(fraction(u64::MAX, u64::MAX), Some(1.0));
    }
}
