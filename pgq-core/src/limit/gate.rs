//! The gate of one limit key: how many of those that stand before it may start.
//!
//! The rate is kept by the generic cell rate algorithm (ITU-T I.371): the gate knows the instant at which it would be back to
//! rest, which each start moves on by the time between two.

use std::time::Duration;

use super::{Bounds, Rate};
use crate::Timestamp;

/// Where a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// How many attempts that it let through run.
    pub running: u32,
    /// When it has forgotten all the starts that it let through.
    pub rest: Timestamp,
}

/// What a gate did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// How many it lets through.
    pub admitted: u32,
    /// Where it stands then.
    pub gate: Gate,
    /// When it lets through the next one, where only its rate is against that.
    pub opens: Option<Timestamp>,
}

impl Gate {
    /// As it stands once these bounds count: what starts of a slower rate, or of a clock that was ahead, have left behind is an
    /// empty bucket at worst. Has to be kept, as that is filled from now on.
    #[must_use]
    pub fn under(&self, bounds: Bounds, now: Timestamp) -> Self {
        let full = |rate: Rate| rounded_up(rate.interval().as_nanos() * u128::from(rate.burst()));
        let rest = bounds.rate.map_or(self.rest, |rate| self.rest.min(now.saturating_add(full(rate))));
        Self { rest, ..*self }
    }

    /// How many it would let through now, and when the next one, where only its rate is against that.
    #[must_use]
    pub fn room(&self, bounds: Bounds, now: Timestamp) -> (u32, Option<Timestamp>) {
        let places = bounds.concurrency.map_or(u32::MAX, |most| most.saturating_sub(self.running));
        let Some(rate) = bounds.rate else { return (places, None) };
        let rest = self.rest.max(now);
        let ahead = rest.since(now).as_nanos();
        let (interval, full) = (rate.interval().as_nanos(), rate.interval().as_nanos() * u128::from(rate.burst()));
        let tokens = u32::try_from(full.saturating_sub(ahead) / interval).unwrap_or(u32::MAX);
        if tokens > 0 || places == 0 {
            return (places.min(tokens), None);
        }
        let wait = ahead + interval - full;
        (0, Some(now.saturating_add(rounded_up(wait))))
    }

    /// Lets through as many of `asked` as it may.
    #[must_use]
    pub fn admit(&self, bounds: Bounds, now: Timestamp, asked: u32) -> Passage {
        let admitted = asked.min(self.room(bounds, now).0);
        let gate = self.entered(bounds, now, admitted);
        let opens = if admitted < asked { gate.room(bounds, now).1 } else { None };
        Passage { admitted, gate, opens }
    }

    /// So many have passed.
    #[must_use]
    pub fn entered(&self, bounds: Bounds, now: Timestamp, count: u32) -> Self {
        let rest = match bounds.rate {
            Some(rate) if count > 0 => {
                let span = rate.interval().as_nanos() * u128::from(count);
                self.rest.max(now).saturating_add(rounded_up(span))
            }
            _ => self.rest,
        };
        Self { running: self.running.saturating_add(count), rest }
    }
}

/// To the next microsecond: instants are no finer.
fn rounded_up(nanos: u128) -> Duration {
    Duration::from_micros(u64::try_from(nanos.div_ceil(1_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const REST: Gate = Gate { running: 0, rest: Timestamp::EPOCH };

    fn bounds(concurrency: Option<u32>, rate: Option<(u64, u32)>) -> Bounds {
        let rate = rate.map(|(millis, burst)| Rate::every(Duration::from_millis(millis), burst).unwrap());
        Bounds { concurrency, rate }
    }

    fn after(millis: u64) -> Timestamp {
        NOW.saturating_add(Duration::from_millis(millis))
    }

    #[test]
    fn no_more_run_at_once_than_may() {
        let bounds = bounds(Some(3), None);
        let passage = REST.admit(bounds, NOW, 5);
        assert_eq!((passage.admitted, passage.gate.running, passage.opens), (3, 3, None));
        assert_eq!(passage.gate.admit(bounds, NOW, 1).admitted, 0);
    }

    #[test]
    fn a_cap_below_what_runs_lets_nobody_through() {
        assert_eq!(Gate { running: 7, ..REST }.admit(bounds(Some(3), None), NOW, 1).admitted, 0);
    }

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let bounds = bounds(None, Some((100, 3)));
        let passage = REST.admit(bounds, NOW, 5);
        assert_eq!((passage.admitted, passage.opens), (3, Some(after(100))));
        assert_eq!(passage.gate.admit(bounds, after(99), 5).admitted, 0);
        let next = passage.gate.admit(bounds, after(100), 5);
        assert_eq!((next.admitted, next.opens), (1, Some(after(200))));
        assert_eq!(passage.gate.admit(bounds, after(10_000), 5).admitted, 3);
    }

    #[test]
    fn under_a_faster_rate_the_bucket_is_empty_at_worst() {
        let (slow, fast) = (bounds(None, Some((360_000, 10))), bounds(None, Some((20, 5))));
        let gate = REST.admit(slow, NOW, 10).gate.under(fast, NOW);
        assert_eq!(gate.room(fast, NOW), (0, Some(after(20))));
        assert_eq!(gate.under(fast, after(40)).room(fast, after(40)).0, 2);
        let busy = REST.admit(fast, NOW, 5).gate;
        assert_eq!((busy.under(fast, NOW), busy.under(slow, NOW)), (busy, busy));
    }

    #[test]
    fn where_places_are_missing_too_no_time_is_named() {
        let bounds = bounds(Some(1), Some((100, 1)));
        assert_eq!(REST.admit(bounds, NOW, 2).opens, None);
    }

    #[test]
    fn without_bounds_all_pass() {
        assert_eq!(REST.admit(bounds(None, None), NOW, 1_000).admitted, 1_000);
    }
}
