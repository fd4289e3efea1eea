//! The rates that a limit with a key has had.
//!
//! A change touches none of its gates, of which there may be a million: each is converted when it is looked at, through all the rates
//! that there were since it was counted ([`Gate::follow`](super::gate::Gate::follow)).

use std::time::Duration;

use super::Rate;
use crate::Timestamp;

/// So many of those that it had are known, at most. A gate that was counted by an earlier one counts as if by the first of these; so
/// does one that was counted before its limit went and came back: no number of before stands for a rate since.
pub const MAX_PACES: usize = 32;

/// The rates of a limit, by number, and until when each was in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paces {
    number: u64,
    rate: Option<Rate>,
    past: Vec<(Duration, Timestamp)>,
}

impl Paces {
    /// The one in force has this number; the last of those before, by the time between two starts, and until when.
    #[must_use]
    pub const fn of(number: u64, past: Vec<(Duration, Timestamp)>) -> Self {
        Self { number, rate: None, past }
    }

    /// Another rate from now on, if it is another one than before. Where none is in force, gates are counted as by the one before.
    pub fn change(&mut self, rate: Option<Rate>, now: Timestamp) -> bool {
        let Some(rate) = rate else { return false };
        let old = self.rate.replace(rate).filter(|old| *old != rate);
        if let Some(old) = old {
            self.number += 1;
            self.past.push((old.interval(), now));
            self.past.drain(..self.past.len().saturating_sub(MAX_PACES));
        }
        old.is_some()
    }

    /// Which one is in force.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Those that have ended since the one of this number was in force, that one included.
    pub(super) fn since(&self, number: u64) -> &[(Duration, Timestamp)] {
        let ended = usize::try_from(self.number.saturating_sub(number)).unwrap_or(usize::MAX);
        &self.past[self.past.len().saturating_sub(ended)..]
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bounds;
    use super::super::fleet::{Chance, InForce};
    use super::super::gate::Gate;
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn any_rate(chance: &mut Chance) -> Rate {
        let micros = if chance.small(4) == 0 { 20_000 } else { chance.below(900_000) + 20_000 };
        Rate::every(Duration::from_micros(micros), 1 + chance.small(12)).unwrap()
    }

    /// A limit, one of its values, which may have a rate of its own, and what was in force of that since when.
    struct Lane {
        paces: Paces,
        declared: Option<Rate>,
        own: Option<Rate>,
        gate: Gate,
        in_force: InForce,
    }

    impl Lane {
        fn of(rate: Rate) -> Self {
            let (mut paces, in_force) = (Paces::default(), InForce::since(BEGIN, rate));
            paces.change(Some(rate), BEGIN);
            Self { paces, declared: Some(rate), own: None, gate: Gate::default(), in_force }
        }

        fn rate(&self) -> Option<Rate> {
            self.own.or(self.declared)
        }

        fn stands(&self) -> Gate {
            if self.own.is_some() { self.gate } else { self.gate.follow(&self.paces, self.declared) }
        }

        fn declare(&mut self, rate: Option<Rate>, now: Timestamp) {
            self.declared = rate;
            self.paces.change(rate, now);
            self.in_force.change(self.rate(), now);
        }

        fn set(&mut self, own: Option<Rate>, now: Timestamp) {
            let (gate, before) = (self.stands(), self.rate());
            self.own = own;
            self.gate = gate.swap(before, self.rate(), self.paces.number(), now);
            self.in_force.change(self.rate(), now);
        }

        fn start(&mut self, most: u32, now: Timestamp) -> u32 {
            let bounds = Bounds { concurrency: None, rate: self.rate() };
            let passage = self.stands().under(bounds, now).admit(bounds, now, most);
            self.gate = Gate { running: 0, ..passage.gate };
            passage.admitted
        }

        fn forget(&mut self, now: Timestamp) {
            if self.own.is_none() && self.stands().is_at_rest(now) {
                self.gate = Gate::default();
            }
        }
    }

    /// However a rate and a value's own change, and whenever somebody looks, each window has as many starts as those in force in it
    /// allow.
    #[test]
    fn no_window_has_more_starts_than_the_rates_in_force_in_it_allow() {
        for seed in 0..300 {
            let mut chance = Chance(seed);
            let first = any_rate(&mut chance);
            let mut lane = Lane::of(first);
            let (mut now, mut starts) = (BEGIN, Vec::new());
            for _ in 0..300 {
                now = now.saturating_add(Duration::from_micros(chance.below(300_000) * u64::from(chance.small(3))));
                match chance.small(12) {
                    0 => lane.declare(Some(any_rate(&mut chance)), now),
                    1 => lane.declare(Some(first), now),
                    2 => lane.set(Some(any_rate(&mut chance)), now),
                    3 => lane.set(None, now),
                    4 => lane.forget(now),
                    5 if chance.small(4) == 0 => lane.declare(None, now),
                    _ => starts.extend((0..lane.start(chance.small(20), now)).map(|_| now)),
                }
            }
            assert!(starts.len() > 20, "{seed}");
            lane.in_force.assert_allows(&starts);
        }
    }

    #[test]
    fn a_limit_knows_the_last_of_its_rates() {
        let rate = |millis| Rate::every(Duration::from_millis(millis), 1);
        let mut paces = Paces::default();
        for millis in 1..=40 {
            paces.change(rate(millis), BEGIN);
            paces.change(None, BEGIN);
            paces.change(rate(millis), BEGIN);
        }
        assert_eq!((paces.number(), paces.since(0).len(), paces.since(38).len()), (39, MAX_PACES, 1));
        assert_eq!((paces.since(39), paces.since(99)), (&[][..], &[][..]));
    }
}
