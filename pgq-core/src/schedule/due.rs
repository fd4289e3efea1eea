//! Which ticks are to be fired.

use std::time::Duration;

use super::{Cadence, Missed};
use crate::Timestamp;

/// A tick that nobody has fired for so long was missed: less is a database that failed over, or a machine that is busy.
pub const FORGIVEN: Duration = Duration::from_secs(10);
/// A clock that is set back by less than this fires nothing twice, and so nothing at all until it has caught up. One that is
/// set back by more had been wrong: it begins anew where it is.
pub const FORGOTTEN: Duration = Duration::from_hours(24);
/// The most ticks that one look fires, whatever was missed.
pub const MOST: u16 = 1_000;

/// What a look at a schedule comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The ticks to be fired, in order.
    pub ticks: Vec<Timestamp>,
    /// The last tick that is accounted for from now on, fired or passed over.
    pub last: Timestamp,
    /// When to look again; `None` at the end of the calendar.
    pub next: Option<Timestamp>,
}

/// The ticks after `last` that are to be fired at `now`. If the oldest of them is no older than [`FORGIVEN`], all of them;
/// else some were missed, and `missed` says what becomes of that: with [`Missed::Skip`] only one that is just due is fired.
#[must_use]
pub fn due(cadence: &Cadence, missed: Missed, last: Timestamp, now: Timestamp) -> Due {
    let last = if last.since(now) > FORGOTTEN { now } else { last };
    let newest = cadence.latest(now).filter(|tick| *tick > last);
    let Some(newest) = newest else {
        return Due { ticks: Vec::new(), last, next: cadence.next(last.max(now)) };
    };
    let forgiven = now.saturating_sub(FORGIVEN);
    let outage = cadence.next(last).is_some_and(|oldest| oldest < forgiven);
    let most = match missed {
        _ if !outage => MOST,
        Missed::All(most) => most.min(MOST),
        Missed::Once => 1,
        Missed::Skip => u16::from(newest >= forgiven),
    };
    Due { ticks: latest(cadence, last, newest, most), last: newest, next: cadence.next(now) }
}

/// The ticks that are to come at `now`, where those up to `last` are accounted for.
pub fn upcoming(cadence: &Cadence, last: Timestamp, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let since = if last.since(now) > FORGOTTEN { now } else { last.max(now) };
    std::iter::successors(cadence.next(since), |tick| cadence.next(*tick))
}

/// Up to `most` ticks after `last` that end with `newest`. Found backwards, so that a year of seconds costs no more than they.
fn latest(cadence: &Cadence, last: Timestamp, newest: Timestamp, most: u16) -> Vec<Timestamp> {
    let before = |tick: &Timestamp| cadence.latest(tick.saturating_sub(Duration::from_secs(1)));
    let found = std::iter::successors(Some(newest), before).take_while(|tick| *tick > last);
    let mut ticks: Vec<_> = found.take(most.into()).collect();
    ticks.reverse();
    ticks
}

#[cfg(test)]
mod tests;
