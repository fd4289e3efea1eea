//! How many run at once: where one begins, no more are there with it than may be. Those that ran when fewer were allowed go on.

use crate::check::{Approach, Violation, shown};
use crate::ledger::Attempt;
use crate::limits::{Each, Limit};
use crate::timeline::Timeline;

/// The most that there were, of how many.
#[derive(Default)]
pub(super) struct Nearest(Option<(u32, u32)>);

impl Nearest {
    fn see(&mut self, there: u32, most: u32) {
        let ahead = |(a, of): (u32, u32)| f64::from(a) / f64::from(of.max(1));
        if self.0.is_none_or(|known| (ahead((there, most)), most) > (ahead(known), known.1)) {
            self.0 = Some((there, most));
        }
    }

    pub(super) fn said(&self, limit: &Limit) -> Option<Approach> {
        let (there, most) = self.0?;
        Some(Approach { what: format!("{}, at once", limit.what), said: format!("{there} of {most}") })
    }
}

pub(super) fn check(
    limit: &Limit,
    attempts: &[&Attempt],
    timeline: &Timeline,
    nearest: &mut Nearest,
) -> Option<Violation> {
    // What one worker counts by itself is there until its process leaves it.
    let end = |attempt: &Attempt| if limit.each == Each::Process { attempt.left } else { attempt.ended };
    let (mut there, mut worst): (Vec<&Attempt>, Option<(u32, Violation)>) = (Vec::new(), None);
    for attempt in attempts {
        // Whose lease was over before it began counts for nobody.
        if end(attempt) <= attempt.begun {
            continue;
        }
        there.retain(|other| end(other) > attempt.begun);
        there.push(attempt);
        let Some(most) = timeline.at(attempt.begun).at_once else { continue };
        let count = u32::try_from(there.len()).unwrap_or(u32::MAX);
        nearest.see(count, most);
        let over = count.saturating_sub(most);
        if over > 0 && worst.as_ref().is_none_or(|(known, _)| over > *known) {
            let what = format!("{count} at once of {}, which may be {most}", limit.what);
            let violation = Violation { at: attempt.begun, what, there: shown(there.iter().copied(), attempt.begun) };
            worst = Some((over, violation));
        }
    }
    worst.map(|(_, violation)| violation)
}
