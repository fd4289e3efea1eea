//! Times of day, where clocks change.
//!
//! The search is on the face of the clock, which knows no changes, and what it finds is resolved: a time that is left out to
//! the first instant after the gap, one that comes twice to the first. Later times never resolve to earlier instants, so the
//! next time on the clock is the next tick, or the same instant once more.

use croner::Cron;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// When clocks in a zone show what an expression names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Times {
    cron: Box<Cron>,
    zone: TimeZone,
}

impl Times {
    pub(super) fn new(cron: Cron, zone: TimeZone) -> Self {
        Self { cron: Box::new(cron), zone }
    }

    /// The first one after an instant of whole seconds.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = self.seen_at(after);
        let mut time = self.cron.find_next_occurrence(&from, false).ok()?;
        loop {
            let tick = self.resolve(time)?;
            if tick > after {
                return Some(tick);
            }
            // It ticked the first time that it came, or it was left out together with others.
            time = match self.end_of_fold(time) {
                Some(end) => self.cron.find_next_occurrence(&end, true).ok()?,
                None => self.cron.find_next_occurrence(&time, false).ok()?,
            };
        }
    }

    /// The last one up to an instant of whole seconds.
    pub(super) fn latest(&self, until: Timestamp) -> Option<Timestamp> {
        let shown = self.seen_at(until);
        // The second time around, all that comes twice has ticked.
        let end = self.end_of_fold(shown).filter(|_| self.resolve(shown).is_some_and(|first| first < until));
        let time = match end {
            Some(end) => self.cron.find_previous_occurrence(&end, false),
            None => self.cron.find_previous_occurrence(&shown, true),
        };
        self.resolve(time.ok()?)
    }

    /// What clocks show.
    fn seen_at(&self, instant: Timestamp) -> DateTime {
        self.zone.to_datetime(instant)
    }

    fn resolve(&self, time: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_zoned(time).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(time).ok()
            }
            // By the clock that is still to come it is an instant before the change.
            AmbiguousOffset::Gap { after, .. } => self.change_after(after.to_timestamp(time).ok()?),
        }
    }

    /// Where a time comes twice, what the clocks show that go back then.
    fn end_of_fold(&self, time: DateTime) -> Option<DateTime> {
        let AmbiguousOffset::Fold { before, .. } = self.zone.to_ambiguous_zoned(time).offset() else { return None };
        Some(before.to_datetime(self.change_after(before.to_timestamp(time).ok()?)?))
    }

    fn change_after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.zone.following(instant).next().map(|change| change.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::{SignedDuration, ToSpan};

    use super::*;
    use crate::schedule::cron;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    /// A clock is watched minute by minute: what it shows for the first time ticks if it is named, and what it leaps over ticks
    /// where it lands.
    fn watched(times: &Times, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let named = |time: DateTime| times.cron.is_time_matching(&time).unwrap();
        let (mut shown, mut ticks, mut now) = (HashSet::new(), Vec::new(), from);
        let mut before = times.seen_at(now - MINUTE);
        while now <= until {
            let seen = times.seen_at(now);
            let mut leapt = before.checked_add(1.minute()).unwrap();
            let mut ticked = shown.insert(seen) && named(seen);
            while leapt < seen {
                ticked |= named(leapt);
                leapt = leapt.checked_add(1.minute()).unwrap();
            }
            if ticked {
                ticks.push(now);
            }
            (before, now) = (seen, now + MINUTE);
        }
        ticks
    }

    #[test]
    fn every_tick_is_where_a_watched_clock_has_it() {
        let start: Timestamp = "2010-06-01T00:00:00Z".parse().unwrap();
        let day = SignedDuration::from_hours(24);
        for zone in
            ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Nuuk", "Africa/Cairo", "Pacific/Apia"]
        {
            let zone = TimeZone::get(zone).unwrap();
            for expression in [
                "30 2 * * *",
                "0,15,30 0-3,23 * * *",
                "0 0 * * SUN",
                "59 1,2 29-31 3,12 *",
                "0 0,2,12 * 3,4,10,11 0,5,6",
            ] {
                let times = Times::new(cron::parse(expression).unwrap().cron, zone.clone());
                for change in zone.following(start).take(8) {
                    let (from, until) = (change.timestamp() - day, change.timestamp() + day);
                    let expected = watched(&times, from, until);
                    let found = std::iter::successors(times.next(from - MINUTE), |tick| times.next(*tick));
                    // The watch begins with what the clock hasn't shown before.
                    let found: Vec<_> = found.take_while(|tick| *tick <= until).collect();
                    assert_eq!(found, expected, "{expression} in {zone:?} around {}", change.timestamp());
                    let mut now = until;
                    for tick in expected.iter().rev() {
                        assert_eq!(times.latest(now), Some(*tick), "{expression} in {zone:?} up to {now}");
                        now = *tick - SignedDuration::from_secs(1);
                    }
                }
            }
        }
    }
}
