//! Who may say of others that their lease is over.
//!
//! A worker whose own signs of life don't get through, because the server is away, only reads, or refuses what is written,
//! can't know whether those of others would: it says nothing of them. Once one is accepted again it gives them a lease's
//! time from then. So whatever keeps everybody from beating makes nobody count as gone, also where it ends no connection.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::platform::{Clock, Mark};

/// How a worker's own signs of life get on.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<Beats>);

#[derive(Debug, Default)]
enum Beats {
    /// None has failed.
    #[default]
    Steady,
    /// The last one failed.
    Failing,
    /// All since then were accepted.
    Since(Mark),
}

/// What a worker has to say of others.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing.
    Silent,
    /// What it has seen in so much time; `None` is all.
    Of(Option<Duration>),
}

impl Witness {
    /// One is about to be sent. Dropped before it was accepted, it has failed.
    pub(super) fn send<'w>(&'w self, clock: &'w Clock) -> Sent<'w> {
        Sent { witness: self, clock, accepted: false }
    }

    /// None could even be sent.
    pub(super) fn failed(&self) {
        self.with(|beats| *beats = Beats::Failing);
    }

    pub(super) fn word(&self) -> Word {
        self.with(|beats| match beats {
            Beats::Steady => Word::Of(None),
            Beats::Failing => Word::Silent,
            Beats::Since(mark) => Word::Of(Some(mark.elapsed())),
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Beats) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A sign of life that is under way.
pub(super) struct Sent<'w> {
    witness: &'w Witness,
    clock: &'w Clock,
    accepted: bool,
}

impl Sent<'_> {
    pub(super) fn accepted(mut self) {
        self.accepted = true;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let (accepted, clock) = (self.accepted, self.clock);
        self.witness.with(|beats| match beats {
            _ if !accepted => *beats = Beats::Failing,
            Beats::Failing => *beats = Beats::Since(clock.mark()),
            Beats::Steady | Beats::Since(_) => {}
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::ManualClock;
    use pgq_core::Timestamp;

    #[test]
    fn who_failed_to_beat_says_nothing_and_then_only_what_it_has_seen_since() {
        let (witness, time) = (Witness::default(), ManualClock::at(Timestamp::EPOCH));
        let clock = Clock::Manual(time.clone());
        witness.send(&clock).accepted();
        assert_eq!(witness.word(), Word::Of(None));
        drop(witness.send(&clock));
        assert_eq!(witness.word(), Word::Silent);
        witness.send(&clock).accepted();
        time.advance(Duration::from_secs(3));
        witness.send(&clock).accepted();
        assert_eq!(witness.word(), Word::Of(Some(Duration::from_secs(3))));
    }
}
