//! For how long a worker may take its lease for its own when nobody tells it.
//!
//! ```text
//! a beat is sent and accepted ───────────────▶ in doubt ──▶ over: somebody else may run the jobs
//!        ▲                    4/5 of the lease    │
//!        └────────────────────────────────────────┘ the next beat that is accepted
//! ```
//!
//! While its lease is in doubt a worker starts nothing, and attempts for which it matters that there is only one are told to
//! end: those of a task whose concurrency is limited, and those that have asked for their fence or write in a transaction. All others go on, as most outages end before
//! anybody is declared gone, and nobody is while the server is away. The beat counts from when it was sent, by a clock that
//! goes on while the machine is suspended.
//!
//! When the keeper's thread is held up, so is the heartbeat, and the claimer looks for itself. When the process is stopped
//! and goes on, the keeper's first look is too late: whatever was written meanwhile in its name is refused by the fence.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::platform::Mark;

/// A lease's share that must be left of it.
const MARGIN: u32 = 5;
/// The longest time between two looks: timers stand still while the machine is suspended.
const LOOK: Duration = Duration::from_secs(1);

/// When the worker's last sign of life was sent that was accepted.
#[derive(Debug)]
pub(super) struct Tenure {
    /// After so long it is in doubt.
    span: Duration,
    accepted: Mutex<Mark>,
}

impl Tenure {
    pub(super) fn new(lease: Duration, registered: Mark) -> Self {
        Self { span: lease.saturating_sub(lease / MARGIN), accepted: Mutex::new(registered) }
    }

    /// A beat was accepted; whether there had been doubts.
    pub(super) fn renew(&self, sent: Mark) -> bool {
        let doubted = self.is_doubtful();
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = sent;
        doubted
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.left().is_zero()
    }

    fn left(&self) -> Duration {
        let elapsed = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        self.span.saturating_sub(elapsed)
    }
}

/// Tells attempts to end while the lease is in doubt.
pub(super) struct Keeper(pub(super) Arc<Engine>);

impl Service for Keeper {
    const NAME: &'static str = "keeper";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        let left = self.0.tenure.left();
        if left.is_zero() {
            let told = self.0.held.doubt(|task| self.0.limits.counts(task));
            if told > 0 {
                tracing::warn!(
                    attempts = told,
                    "no sign of life was accepted for long: these attempts are told to end"
                );
            }
            return Ok(Next::After(LOOK));
        }
        Ok(Next::After(left.min(LOOK)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Clock, ManualClock};
    use pgq_core::Timestamp;

    #[test]
    fn a_lease_is_in_doubt_a_fifth_before_its_end_and_no_more_once_a_beat_is_accepted() {
        let clock = ManualClock::at(Timestamp::EPOCH);
        let mark = || Clock::Manual(clock.clone()).mark();
        let tenure = Tenure::new(Duration::from_secs(15), mark());
        clock.advance(Duration::from_millis(11_999));
        assert!(!tenure.is_doubtful());
        let sent = mark();
        clock.advance(Duration::from_millis(1));
        assert!(tenure.is_doubtful());
        assert!(tenure.renew(sent), "there were doubts");
        assert_eq!(tenure.left(), Duration::from_millis(11_999), "a beat counts from when it was sent");
    }
}
