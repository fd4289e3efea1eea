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
