//! The gate of one limit key: how many of those that stand before it may start.
//!
//! The rate is kept by the generic cell rate algorithm (ITU-T I.371): the gate knows the instant at which it would be back to
//! rest, which each start moves on by the time between two. Where that time changes, what a gate lacks is kept in tokens, as of the
//! instant of the change ([`Gate::follow`]).

use std::time::Duration;

use super::pace::Paces;
use super::{Bounds, Rate};
use crate::Timestamp;

/// Where a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// How many attempts that it let through run.
    pub running: u32,
    /// When its bucket is full.
    pub rest: Timestamp,
    /// When it has forgotten all the starts that it let through: later than it is full where its burst was lowered while it lacked
    /// more than that. Who raises it again doesn't get these once more.
    pub clear: Timestamp,
    /// By which of its limit's [`Paces`] both are counted.
    pub pace: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { running: 0, rest: Timestamp::EPOCH, clear: Timestamp::EPOCH, pace: 0 }
    }
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
    /// As it stands under its limit's rate, whatever other ones it had since the gate was counted: what it lacked in tokens when each
    /// of them ended it lacks under the next one, and when the last one ended it was empty at worst.
    #[must_use]
    pub fn follow(&self, paces: &Paces, rate: Option<Rate>) -> Self {
        rate.map_or(*self, |rate| Self { pace: paces.number(), ..self.after(paces.since(self.pace), rate) })
    }

    /// As it stands once it has bounds of its own in place of others, or the others again, of that pace.
    #[must_use]
    pub fn swap(&self, from: Option<Rate>, to: Option<Rate>, pace: u64, now: Timestamp) -> Self {
        let swapped = from.zip(to).map(|(from, to)| self.after(&[(from.interval(), now)], to));
        Self { pace, ..swapped.unwrap_or(*self) }
    }

    fn after(&self, past: &[(Duration, Timestamp)], rate: Rate) -> Self {
        let Some((_, changed)) = past.last() else { return *self };
        let next = past.iter().skip(1).map(|(interval, _)| *interval).chain([rate.interval()]);
        let clear =
            past.iter().zip(next).fold(self.clear, |clear, ((old, until), new)| carried(clear, *until, *old, new));
        Self { rest: clear.min(changed.saturating_add(full(rate))), clear, ..*self }
    }

    /// As it stands now: what a clock that was ahead has left behind is an empty bucket at worst. Has to be kept, as that is filled
    /// from now on.
    #[must_use]
    pub fn under(&self, bounds: Bounds, now: Timestamp) -> Self {
        let rest = bounds.rate.map_or(self.rest, |rate| self.rest.min(now.saturating_add(full(rate))));
        Self { rest, clear: self.clear.saturating_sub(self.rest.since(rest)), ..*self }
    }

    /// Whether it stands as one that nobody has passed yet, but for those who run.
    #[must_use]
    pub fn is_at_rest(&self, now: Timestamp) -> bool {
        self.rest.max(self.clear) <= now
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
        let running = self.running.saturating_add(count);
        let Some(rate) = bounds.rate.filter(|_| count > 0) else { return Self { running, ..*self } };
        let span = rounded_up(rate.interval().as_nanos() * u128::from(count));
        let moved = |instant: Timestamp| instant.max(now).saturating_add(span);
        Self { running, rest: moved(self.rest), clear: moved(self.clear), ..*self }
    }
}

/// How long an empty bucket takes to be full.
fn full(rate: Rate) -> Duration {
    rounded_up(rate.interval().as_nanos() * u128::from(rate.burst()))
}

/// When so many tokens have come in as were missing at an instant, where another time between two starts counts from then on.
fn carried(full: Timestamp, at: Timestamp, old: Duration, new: Duration) -> Timestamp {
    if full <= at || old == new {
        return full;
    }
    let missing = full.since(at).as_nanos().saturating_mul(new.as_nanos());
    at.saturating_add(rounded_up(missing.div_ceil(old.as_nanos().max(1))))
}

/// To the next microsecond: instants are no finer.
fn rounded_up(nanos: u128) -> Duration {
    Duration::from_micros(u64::try_from(nanos.div_ceil(1_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const REST: Gate = Gate { running: 0, rest: Timestamp::EPOCH, clear: Timestamp::EPOCH, pace: 0 };

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
    fn a_clock_that_was_ahead_leaves_an_empty_bucket_at_worst() {
        let bounds = bounds(None, Some((100, 3)));
        let gate = REST.admit(bounds, after(3_600_000), 3).gate.under(bounds, NOW);
        assert_eq!(gate.room(bounds, NOW), (0, Some(after(100))));
        assert_eq!((gate.clear, gate.under(bounds, after(200)).room(bounds, after(200)).0), (gate.rest, 2));
    }

    #[test]
    fn what_a_bucket_lacks_in_tokens_is_kept_when_its_rate_changes() {
        let (fast, slow) = (bounds(None, Some((100, 2))), bounds(None, Some((500, 8))));
        let mut paces = Paces::default();
        paces.change(fast.rate, NOW);
        let gate = REST.follow(&paces, fast.rate).admit(fast, NOW, 2).gate;
        paces.change(slow.rate, after(100));
        let swapped = gate.follow(&paces, slow.rate);
        assert_eq!((swapped.rest, swapped.pace), (after(600), 1), "one token");
        assert_eq!(swapped.room(slow, after(100)).0, 7);
        assert_eq!(swapped.follow(&paces, slow.rate), swapped);
        assert_eq!(gate.swap(fast.rate, slow.rate, 0, after(100)), Gate { pace: 0, ..swapped });
    }

    #[test]
    fn under_a_lower_burst_the_bucket_is_empty_at_worst_and_a_higher_one_gives_nothing_twice() {
        let (slow, fast) = (bounds(None, Some((360_000, 10))), bounds(None, Some((20, 5))));
        let gate = REST.admit(slow, NOW, 10).gate.swap(slow.rate, fast.rate, 0, NOW);
        assert_eq!(gate.room(fast, NOW), (0, Some(after(20))));
        assert_eq!(gate.room(fast, after(40)).0, 2);
        assert!(!gate.is_at_rest(after(100)) && gate.is_at_rest(after(200)));
        let back = gate.swap(fast.rate, slow.rate, 0, after(40));
        assert_eq!(back.room(slow, after(40)).0, 2);
    }

    #[test]
    fn while_nobody_looks_each_rate_fills_for_as_long_as_it_counts() {
        let (fast, slow) = (bounds(None, Some((100, 2))), bounds(None, Some((3_600_000, 2))));
        let mut paces = Paces::default();
        paces.change(fast.rate, NOW);
        let gate = REST.admit(fast, NOW, 2).gate;
        paces.change(slow.rate, NOW);
        paces.change(fast.rate, after(1_800_000));
        assert_eq!(gate.follow(&paces, fast.rate).rest, after(1_800_150));
        assert_eq!(REST.follow(&paces, fast.rate), Gate { pace: 2, ..REST });
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
