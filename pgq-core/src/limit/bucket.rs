//! A part of a rate.
//!
//! A rate of `x` starts a second with a burst of `b` is `b` buckets of one token, each filling at `x / b`: units that workers
//! take and give like slots. Whoever has `k` of them has a token bucket that holds `k` and fills at `k · x / b`. Units change
//! hands with their tokens, or without. So over all workers, in any window of `t` seconds, starts add up to no more than the
//! tokens that there were, at most `b`, and those that came in, at most `x · t`.

use std::time::Duration;

use super::Rate;

/// A millionth of a token: what tokens are counted in while they change hands.
pub const MICROS: u64 = 1_000_000;

/// A token bucket of some of a rate's units. It counts in nanoseconds of one unit's filling, so nothing is rounded within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    rate: Rate,
    units: u32,
    level: u128,
}

impl Bucket {
    /// So many units with so many millionths of a token in them; what doesn't fit is lost.
    #[must_use]
    pub fn new(rate: Rate, units: u32, micros: u64) -> Self {
        let mut bucket = Self { rate, units, level: 0 };
        bucket.receive(0, micros);
        bucket
    }

    /// The rate that it is a part of.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How many units it has.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.units
    }

    /// How long one unit takes to fill, which is what a start costs.
    const fn cost(&self) -> u128 {
        self.rate.interval.as_nanos() * self.rate.burst as u128
    }

    const fn capacity(&self) -> u128 {
        self.cost() * self.units as u128
    }

    /// Time has passed.
    pub fn fill(&mut self, elapsed: Duration) {
        let gain = elapsed.as_nanos().saturating_mul(self.units.into());
        self.level = self.level.saturating_add(gain).min(self.capacity());
    }

    /// Units come in, with so many millionths of a token; what doesn't fit is lost.
    pub fn receive(&mut self, units: u32, micros: u64) {
        self.units = self.units.saturating_add(units);
        let gain = u128::from(micros) * self.cost() / u128::from(MICROS);
        self.level = self.level.saturating_add(gain).min(self.capacity());
    }

    /// Units leave with their part of the tokens; how many millionths of one.
    pub fn give(&mut self, units: u32) -> u64 {
        let units = units.min(self.units);
        if units == 0 {
            return 0;
        }
        let part = self.level * u128::from(units) / u128::from(self.units);
        let micros = u64::try_from(part * u128::from(MICROS) / self.cost()).unwrap_or(u64::MAX);
        self.units -= units;
        self.level = (self.level - part).min(self.capacity());
        micros
    }

    /// Another rate from now on. The tokens stay.
    pub fn retune(&mut self, rate: Rate) {
        if rate != self.rate {
            let micros = self.micros();
            *self = Self::new(rate, self.units, micros);
        }
    }

    /// It has so many units from now on: those that are new come empty, and what doesn't fit is lost.
    pub fn resize(&mut self, units: u32) {
        self.units = units;
        self.level = self.level.min(self.capacity());
    }

    /// How many may start now.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        u32::try_from(self.level / self.cost()).unwrap_or(u32::MAX)
    }

    /// What is in it, in millionths of a token.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.level * u128::from(MICROS) / self.cost()).unwrap_or(u64::MAX)
    }

    /// One starts.
    pub fn take(&mut self) {
        self.level = self.level.saturating_sub(self.cost());
    }

    /// How long until one may start; `None` without a unit.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let missing = self.cost().saturating_sub(self.level);
        let units = u128::from(self.units);
        let nanos = (missing + units.checked_sub(1)?) / units;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet::{Chance, assert_within};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn bucket(units: u32) -> Bucket {
        Bucket::new(Rate::every(Duration::from_millis(100), 10).unwrap(), units, 0)
    }

    #[test]
    fn it_holds_one_token_a_unit() {
        let mut bucket = bucket(4);
        assert_eq!((bucket.tokens(), bucket.next()), (0, Some(Duration::from_millis(250))));
        bucket.fill(Duration::from_millis(250));
        assert_eq!((bucket.tokens(), bucket.next()), (1, Some(Duration::ZERO)));
        bucket.fill(SECOND * 100);
        assert_eq!(bucket.tokens(), 4);
    }

    #[test]
    fn units_change_hands_with_their_part_of_the_tokens() {
        let mut bucket = bucket(4);
        bucket.fill(SECOND / 2);
        assert_eq!(bucket.give(1), MICROS / 2);
        assert_eq!((bucket.units(), bucket.micros()), (3, MICROS * 3 / 2));
        bucket.receive(1, MICROS * 9);
        assert_eq!((bucket.units(), bucket.tokens()), (4, 4));
        assert_eq!(bucket.give(9), MICROS * 4);
        assert_eq!((bucket.tokens(), bucket.next(), bucket.give(1)), (0, None, 0));
    }

    #[test]
    fn another_rate_keeps_the_tokens() {
        let mut bucket = bucket(4);
        bucket.fill(SECOND * 3 / 4);
        bucket.retune(Rate::every(SECOND * 7, 3).unwrap());
        assert_eq!(bucket.tokens(), 3);
    }

    /// Workers that take whenever they can, while units go to and fro among them, stay within the rate in every window.
    #[test]
    fn no_window_has_more_starts_than_its_burst_and_rate() {
        for seed in 0..200 {
            let mut chance = Chance(seed);
            let rate = Rate::every(Duration::from_millis(chance.below(900) + 100), 1 + chance.small(6)).unwrap();
            let starts = a_fleets_starts(rate, &mut chance);
            assert_within(rate, &starts);
        }
    }

    fn a_fleets_starts(rate: Rate, chance: &mut Chance) -> Vec<Duration> {
        let full = u64::from(rate.burst()) * MICROS;
        let mut fleet = [Bucket::new(rate, rate.burst(), full), Bucket::new(rate, 0, 0), Bucket::new(rate, 0, 0)];
        let (mut now, mut starts) = (Duration::ZERO, Vec::new());
        for _ in 0..400 {
            let step = Duration::from_micros(chance.below(300_000));
            now += step;
            for bucket in &mut fleet {
                bucket.fill(step);
                for _ in 0..bucket.tokens().min(chance.small(4)) {
                    bucket.take();
                    starts.push(now);
                }
            }
            let (from, to, units) = (chance.small(3) as usize, chance.small(3) as usize, chance.small(3));
            let units = units.min(fleet[from].units());
            let micros = fleet[from].give(units);
            fleet[to].receive(units, if chance.small(2) == 0 { micros } else { 0 });
        }
        starts
    }
}
