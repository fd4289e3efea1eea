//! Limits as workers and backends speak of them.

use std::sync::Arc;
use std::time::Duration;

pub use pgq_core::limit::share::{Ask, Owed, Portion};
pub use pgq_core::{Bounds, Rate};

/// How old the gate of a limit key has to be that is forgotten once it is at rest.
pub(crate) const GATE_AGE: Duration = Duration::from_hours(1);

/// How long after a gate opens a beat sees that nobody has looked at it: whoever does so takes some milliseconds.
pub(crate) const GATE_LATE: Duration = Duration::from_millis(100);

/// How many jobs that come behind one that a closed gate holds up are parked with it, at most.
pub(crate) const PARKED: usize = 500;

/// What is counted of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// How many attempts run at once.
    Concurrency,
    /// How many start in how long.
    Rate,
}

/// A limit without a key, by its full name, and what is counted of it: that is divided among the workers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolName {
    /// Which limit.
    pub limit: Arc<str>,
    /// What of it.
    pub measure: Measure,
}

/// When a worker has its next token of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextToken {
    /// In how long.
    pub wait: Duration,
    /// With so many units.
    pub units: u32,
    /// Of this rate.
    pub rate: Rate,
}

/// A limit that a worker's tasks declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Its full name.
    pub name: String,
    /// The task whose own it is; `None` where several share it.
    pub task: Option<String>,
    /// Those that share it.
    pub sharers: Vec<String>,
    /// Whether each value of a key is counted by itself.
    pub keyed: bool,
    /// Its bounds.
    pub bounds: Bounds,
}

/// A pool as a worker sees it; also one of a limit with a key, which isn't divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Which one.
    pub pool: PoolName,
    /// The tasks that share it, by what live workers have declared.
    pub sharers: Vec<String>,
    /// Whether each value of a key is counted by itself.
    pub keyed: bool,
    /// What the worker has of it. Tokens stay where they are until it asks. Where it has a key nobody has anything, and `cap` says
    /// whether it is bounded, for all values or for one.
    pub portion: Portion,
    /// The number of the set of declarations that bounds it; `None` where nobody declares it any more.
    pub edition: Option<i64>,
    /// Whether a live worker has that set.
    pub upheld: bool,
    /// Whether no live worker declares it, and a program goes on that did.
    pub outlived: bool,
}

impl Measure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Concurrency, Self::Rate];

    /// How many units there are of it under these bounds.
    #[must_use]
    pub fn cap(self, bounds: Bounds) -> Option<u32> {
        match self {
            Self::Concurrency => bounds.concurrency,
            Self::Rate => bounds.rate.map(|rate| rate.burst()),
        }
    }

    /// The rate, if this is of one.
    #[must_use]
    pub fn rate(self, bounds: Bounds) -> Option<Rate> {
        bounds.rate.filter(|_| self == Self::Rate)
    }
}
