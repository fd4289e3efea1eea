//! Who looks at the gates of limit keys as they open: one worker of a fleet, and not all of them at each token of a rate.
//!
//! ```text
//!         ┌── a claim of its own was the first to be held up, or it has looked at a gate that was due ──┐
//!         │                                                                                             ▼
//!   leaves it to others                                                              looks as the next gate opens
//!         ▲                                                                                             │
//!         └──────────────────── others were there before it, several times in a row ────────────────────┘
//! ```
//!
//! Whoever leaves it to others sees with its beats whether a gate is due that nobody has looked at, and is the one who does from then on.
//!
//! | Who dies | What follows |
//! |---|---|
//! | the one who looks | the first beat that sees a gate that is due: within about a second |
//! | nobody, and two look | one of them is late, and leaves it to the other |

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::backend::Promoted;
use crate::platform::Mark;

/// Who was late so often in a row leaves it to others. Once may be anything: somebody who left a gate has looked at it, or a claim stood
/// before it.
const LATE: u32 = 3;
/// How often that counts at most: gates that opened for several values at once are put off together by those who have just passed them.
const ONCE: Duration = Duration::from_millis(100);

/// When this worker looks at the next gate, if it does.
#[derive(Debug, Default)]
pub(super) struct Doorkeeper(Mutex<Option<Watch>>);

#[derive(Debug)]
pub(super) struct Watch {
    since: Mark,
    opens: Duration,
    late: Late,
}

/// How often in a row others were there before, and when that was counted last.
#[derive(Clone, Debug, Default)]
struct Late(u32, Option<Mark>);

impl Watch {
    fn left(&self) -> Duration {
        self.opens.saturating_sub(self.since.elapsed())
    }

    /// After a look at which no gate was open.
    fn late(self, now: &Mark) -> Late {
        let Late(times, last) = &self.late;
        if self.left().is_zero() && last.as_ref().is_none_or(|last| last.elapsed() >= ONCE) {
            return Late(times + 1, Some(now.clone()));
        }
        self.late
    }
}

impl Doorkeeper {
    fn with<T>(&self, look: impl FnOnce(&mut Option<Watch>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A claim has been held up at a gate that opens so soon, and nobody else is known to look at it then.
    pub(super) fn begin(&self, now: Mark, opens: Duration) {
        self.add(Watch { since: now, opens, late: Late::default() });
    }

    /// Looks at the first of both.
    fn add(&self, other: Watch) {
        self.with(|watch| {
            if watch.as_ref().is_none_or(|known| other.left() < known.left()) {
                *watch = Some(other);
            }
        });
    }

    /// This worker looks at what is due.
    pub(super) fn looks(&self) -> Option<Watch> {
        self.with(Option::take)
    }

    /// It has; when it looks at gates again, if that isn't left to others.
    pub(super) fn has_looked(&self, before: Option<Watch>, now: Mark, promoted: &Promoted) -> Option<Duration> {
        let late = match before {
            _ if promoted.opened => Some(Late::default()),
            before => before.map(|watch| watch.late(&now)),
        };
        // Beside that for a claim that was held up meanwhile, of which the answer doesn't know.
        if let (Some(late @ Late(..LATE, _)), Some(opens)) = (late, promoted.opens) {
            self.add(Watch { since: now, opens, late });
        }
        self.with(|watch| watch.as_ref().map(Watch::left))
    }
}

#[cfg(test)]
mod tests {
    use pgq_core::Timestamp;

    use super::*;
    use crate::platform::{Clock, ManualClock};

    const SPAN: Duration = Duration::from_millis(200);

    fn looked(opened: bool, opens: Option<Duration>) -> Promoted {
        Promoted { opened, opens, ..Promoted::default() }
    }

    #[test]
    fn whoever_comes_late_several_times_in_a_row_leaves_it_to_others() {
        let (hand, keeper) = (ManualClock::at(Timestamp::EPOCH), Doorkeeper::default());
        let clock = Clock::Manual(hand.clone());
        let look = |opened| keeper.has_looked(keeper.looks(), clock.mark(), &looked(opened, Some(SPAN)));
        assert_eq!(look(false), None, "somebody else does");
        assert_eq!(look(true), Some(SPAN));
        for _ in 0..9 {
            assert_eq!(look(false), Some(SPAN), "it was called for something else");
        }
        for opened in [false, false, true, false, false] {
            hand.advance(SPAN);
            assert_eq!(look(opened), Some(SPAN));
        }
        hand.advance(SPAN);
        assert_eq!(look(false), None);
        keeper.begin(clock.mark(), SPAN);
        assert_eq!(look(false), Some(SPAN), "its claim was held up");
    }

    #[test]
    fn gates_that_were_put_off_together_count_as_one_that_somebody_else_has_looked_at() {
        let (hand, keeper) = (ManualClock::at(Timestamp::EPOCH), Doorkeeper::default());
        let clock = Clock::Manual(hand.clone());
        let moment = Duration::from_millis(1);
        let look = |opened| keeper.has_looked(keeper.looks(), clock.mark(), &looked(opened, Some(moment)));
        assert_eq!(look(true), Some(moment));
        for _ in 0..99 {
            hand.advance(moment);
            assert_eq!(look(false), Some(moment));
        }
        hand.advance(SPAN);
        assert_eq!(look(false), Some(moment));
        hand.advance(SPAN);
        assert_eq!(look(false), None, "somebody else does");
    }

    #[test]
    fn where_nobody_waits_at_a_gate_nobody_looks() {
        let (keeper, clock) = (Doorkeeper::default(), Clock::Manual(ManualClock::at(Timestamp::EPOCH)));
        let look = |opened, opens| keeper.has_looked(keeper.looks(), clock.mark(), &looked(opened, opens));
        assert_eq!(look(true, None), None);
        assert_eq!(look(false, Some(SPAN)), None);
    }

    #[test]
    fn a_claim_that_is_held_up_during_a_look_is_not_forgotten() {
        let (keeper, clock) = (Doorkeeper::default(), Clock::Manual(ManualClock::at(Timestamp::EPOCH)));
        let before = keeper.looks();
        keeper.begin(clock.mark(), SPAN);
        assert_eq!(keeper.has_looked(before, clock.mark(), &looked(false, None)), Some(SPAN));
    }

    #[test]
    fn the_first_gate_that_opens_is_looked_at_whichever_was_heard_of_first() {
        let (keeper, clock) = (Doorkeeper::default(), Clock::Manual(ManualClock::at(Timestamp::EPOCH)));
        let before = keeper.looks();
        keeper.begin(clock.mark(), 2 * SPAN);
        keeper.begin(clock.mark(), 3 * SPAN);
        assert_eq!(keeper.has_looked(before, clock.mark(), &looked(true, Some(SPAN))), Some(SPAN));
        let before = keeper.looks();
        keeper.begin(clock.mark(), SPAN / 2);
        assert_eq!(keeper.has_looked(before, clock.mark(), &looked(true, Some(SPAN))), Some(SPAN / 2));
    }
}
