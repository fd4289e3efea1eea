//! Times at which the process was stopped (SIGSTOP, a machine that was suspended) or got no processor. Whoever waited for the
//! database meanwhile finds that it took too long, which says nothing of the database: the two are told apart by a thread that
//! does nothing else for long, the heartbeat's, and looks at a clock that goes on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::platform::{Clock, Mark};

/// The time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Two looks that are so far apart have a lapse between them.
const LONG: Duration = Duration::from_secs(2);
/// What fails so soon after a lapse may have failed by it. An outage that goes on is told of then.
const LATELY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Lapses(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    looked: Option<Mark>,
    /// When the last one was over, and how long it was.
    last: Option<(Mark, Duration)>,
}

impl Lapses {
    /// How long the lapse was that ends here, if one does.
    fn look(&self, now: Mark) -> Option<Duration> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = seen.looked.replace(now.clone())?.elapsed();
        (since >= LONG).then(|| seen.last = Some((now, since)))?;
        Some(since)
    }

    /// How long the lapse was that has just ended: whoever asks may be the first to see it.
    pub(super) fn lately(&self) -> Option<Duration> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unseen = seen.looked.as_ref().map(Mark::elapsed).filter(|since| *since >= LONG);
        unseen.or_else(|| seen.last.as_ref().filter(|(over, _)| over.elapsed() < LATELY).map(|(_, span)| *span))
    }
}

/// Looks whether there was one.
pub(super) struct Watcher(pub(super) Arc<Engine>);

impl Service for Watcher {
    const NAME: &'static str = "watcher";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        let clock = &self.0.platform.clock;
        if !matches!(clock, Clock::System) {
            // Of a clock that a test moves, long spans say nothing.
            return Ok(Next::Done);
        }
        if let Some(span) = self.0.lapses.look(clock.mark()) {
            tracing::warn!("this process was stopped, or got no processor, for {span:.1?}");
        }
        Ok(Next::After(LOOK))
    }
}

#[cfg(test)]
mod tests {
    use pgq_core::Timestamp;

    use super::*;
    use crate::testing::ManualClock;

    #[test]
    fn a_lapse_is_seen_by_who_asks_before_it_was_looked_for_and_for_a_moment_after() {
        let (hand, lapses) = (ManualClock::at(Timestamp::EPOCH), Lapses::default());
        let clock = Clock::Manual(hand.clone());
        assert_eq!((lapses.look(clock.mark()), lapses.lately()), (None, None));
        hand.advance(LOOK);
        assert_eq!((lapses.lately(), lapses.look(clock.mark())), (None, None));
        hand.advance(LONG);
        assert_eq!((lapses.lately(), lapses.look(clock.mark())), (Some(LONG), Some(LONG)));
        assert_eq!(lapses.lately(), Some(LONG));
        hand.advance(LATELY);
        assert_eq!((lapses.lately(), lapses.look(clock.mark())), (None, None));
    }
}
