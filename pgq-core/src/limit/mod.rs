//! Limits: how many attempts run at once, and how many start in how long, over the whole fleet.
//!
//! A limit without a limit key is divided among the workers ([`divide`]): concurrency in slots, a rate in buckets of one start
//! each ([`Bucket`]). Either is a number of **units**; what a worker has of it, it counts down in memory, without a statement.
//! A limit with a key has a gate for each value, which the database counts ([`gate`]).

mod bucket;
mod display;
pub mod divide;
#[cfg(test)]
mod fleet;
pub mod gate;
pub mod gatehouse;
mod key;
pub mod pace;
pub mod pool;
pub mod share;

use std::num::NonZero;
use std::time::Duration;

pub use bucket::{Bucket, MICROS};
pub use key::gate_name;

/// The most attempts at once, and the largest burst.
pub const MAX_UNITS: u32 = 1_000_000;
/// The longest limit key, in bytes; longer ones are shortened to a hash that tells them apart.
pub const MAX_LIMIT_KEY: usize = 256;

/// How many attempts start in how long: in no window of `t` do more than `burst + t / interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// The shortest time between two starts, on average.
    pub const SHORTEST: Duration = Duration::from_micros(1);
    /// The longest.
    pub const LONGEST: Duration = Duration::from_hours(24 * 366);

    /// So many starts in each span, evenly, with as many in one moment as fall into a second, at least one. `None` unless the
    /// time between two is from [`SHORTEST`](Self::SHORTEST) to [`LONGEST`](Self::LONGEST).
    #[must_use]
    pub const fn new(count: f64, span: Duration) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a span of years is exact to a microsecond")]
        let nanos = (span.as_nanos() as f64 / count).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and NaN is none"
        )]
        let interval = Duration::from_nanos(nanos as u64);
        Self::every(interval, per_second(interval))
    }

    /// With a time between two starts, on average, and so many at most in one moment. `None` where either is out of bounds.
    #[must_use]
    pub const fn every(interval: Duration, burst: u32) -> Option<Self> {
        let nanos = interval.as_nanos();
        if nanos < Self::SHORTEST.as_nanos() || nanos > Self::LONGEST.as_nanos() || burst == 0 || burst > MAX_UNITS {
            return None;
        }
        Some(Self { interval, burst })
    }

    /// With so many at most in one moment. `None` unless that is from 1 to [`MAX_UNITS`].
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Option<Self> {
        Self::every(self.interval, burst)
    }

    /// The time between two starts, on average.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// How many may start in one moment.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }
}

/// As many as fall into a second, at least one.
const fn per_second(interval: Duration) -> u32 {
    let Some(nanos) = NonZero::new(interval.as_nanos()) else { return MAX_UNITS };
    let count = Duration::from_secs(1).as_nanos().div_ceil(nanos.get());
    if count > MAX_UNITS as u128 {
        return MAX_UNITS;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is no more than MAX_UNITS")]
    let count = count as u32;
    count
}

/// A limit as a task declares it beside its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What all tasks that share it call it; `None` where it is this task's alone.
    pub name: Option<&'static str>,
    /// What it is counted by; `None` counts all.
    pub key: Option<LimitKey>,
    /// How many attempts may run at once.
    pub concurrency: Option<u32>,
    /// How many may start in how long.
    pub rate: Option<Rate>,
}

/// What a limit is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKey {
    /// The value of this field of the arguments, as it is stored.
    Field(&'static str),
    /// What this function of the task's makes of the arguments; the name stands for it.
    Function(&'static str),
}

impl LimitKey {
    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Field(name) | Self::Function(name) => name,
        }
    }
}

/// The bounds of a limit: what may be declared, and what an operator may set in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How many attempts may run at once.
    pub concurrency: Option<u32>,
    /// How many may start in how long.
    pub rate: Option<Rate>,
}

impl Limit {
    /// Its bounds.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        Bounds { concurrency: self.concurrency, rate: self.rate }
    }

    /// Its name over the fleet: that of all that share it, or its task's, and what it is counted by.
    #[must_use]
    pub fn full_name(&self, task: &str) -> String {
        let owner = self.name.map_or_else(|| of_task(task), shared);
        self.key.map_or(owner.clone(), |key| format!("{owner}[{}]", key.name()))
    }
}

/// The name of a task's own limit.
#[must_use]
pub fn of_task(task: &str) -> String {
    format!("task:{task}")
}

/// The task whose own limit has this full name.
#[must_use]
pub fn task_of(full_name: &str) -> Option<&str> {
    let name = full_name.strip_prefix("task:")?;
    Some(name.split_once('[').map_or(name, |(task, _)| task))
}

/// The name of a limit that tasks share.
#[must_use]
pub fn shared(name: &str) -> String {
    format!("shared:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rates_burst_is_what_falls_into_a_second() {
        for (count, span, interval, burst) in [
            (10.0, SECOND, Duration::from_millis(100), 10),
            (0.5, SECOND, Duration::from_secs(2), 1),
            (100.0, Duration::from_mins(1), Duration::from_millis(600), 2),
            (3.0, SECOND, Duration::from_nanos(333_333_334), 3),
        ] {
            let rate = Rate::new(count, span).unwrap();
            assert_eq!((rate.interval(), rate.burst()), (interval, burst), "{count} in {span:?}");
        }
    }

    #[test]
    fn a_rate_of_nothing_and_one_beyond_all_bounds_are_none() {
        for count in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7, 1e-12] {
            assert_eq!(Rate::new(count, SECOND), None, "{count}");
        }
        let rate = Rate::new(1.0, SECOND).unwrap();
        assert_eq!((rate.with_burst(0), rate.with_burst(MAX_UNITS + 1)), (None, None));
    }

    #[test]
    fn a_limit_is_named_by_its_owner_and_key() {
        let limit = |name, key| Limit { name, key, concurrency: Some(1), rate: None };
        let tenant = Some(LimitKey::Field("tenant"));
        assert_eq!(limit(None, None).full_name("send"), "task:send");
        assert_eq!(limit(None, tenant).full_name("send"), "task:send[tenant]");
        assert_eq!(limit(Some("stripe"), None).full_name("send"), "shared:stripe");
        assert_eq!(limit(Some("stripe"), tenant).full_name("send"), "shared:stripe[tenant]");
        for (name, task) in [("task:send", Some("send")), ("task:a:b[c]", Some("a:b")), ("shared:stripe", None)] {
            assert_eq!(task_of(name), task, "{name}");
        }
    }
}
