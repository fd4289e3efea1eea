//! The states of a job, every legal edge between them, and only those.

use std::fmt;

/// Where a job stands. The order is the one in which every list, table and dashboard names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for its time, with no failure behind it.
    Scheduled,
    /// May be claimed.
    Available,
    /// A worker holds it.
    Running,
    /// Failed, and waits for its next attempt.
    Retryable,
    /// Done.
    Completed,
    /// Stopped by wish.
    Cancelled,
    /// Given up.
    Discarded,
}

impl State {
    /// All states, in order.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Available,
        Self::Running,
        Self::Retryable,
        Self::Completed,
        Self::Cancelled,
        Self::Discarded,
    ];

    /// The word that the database, the logs and the dashboards use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether the job has left the hot table for history: only a retry by hand brings it back.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Discarded)
    }

    /// Where `event` leads from here, or `None` where it can't happen to a job in this state.
    #[must_use]
    pub const fn after(self, event: Event) -> Option<Self> {
        use Event as E;
        use State as S;
        Some(match (self, event) {
            (S::Scheduled | S::Retryable, E::Due) | (S::Running, E::Release | E::Rescue) => S::Available,
            (S::Completed | S::Cancelled | S::Discarded, E::RetryByHand) => S::Available,
            (S::Available, E::Claim) => S::Running,
            (S::Running, E::Complete) => S::Completed,
            (S::Running, E::Retry) => S::Retryable,
            (S::Running, E::Snooze) => S::Scheduled,
            (S::Running, E::Discard | E::Crash) => S::Discarded,
            (S::Scheduled | S::Available | S::Running | S::Retryable, E::Cancel) => S::Cancelled,
            _ => return None,
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its time has come.
    Due,
    /// A worker wins its lease.
    Claim,
    /// The handler succeeded.
    Complete,
    /// The attempt failed and attempts are left.
    Retry,
    /// The handler asked for a later run.
    Snooze,
    /// The attempt failed for good.
    Discard,
    /// Somebody, or the handler, stopped it.
    Cancel,
    /// The worker hands it back unfinished.
    Release,
    /// Its holder is gone; it runs again.
    Rescue,
    /// Its holders died too often.
    Crash,
    /// An operator retries a finished job.
    RetryByHand,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 11] = [
        Self::Due,
        Self::Claim,
        Self::Complete,
        Self::Retry,
        Self::Snooze,
        Self::Discard,
        Self::Cancel,
        Self::Release,
        Self::Rescue,
        Self::Crash,
        Self::RetryByHand,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Claim => "claim",
            Self::Complete => "complete",
            Self::Retry => "retry",
            Self::Snooze => "snooze",
            Self::Discard => "discard",
            Self::Cancel => "cancel",
            Self::Release => "release",
            Self::Rescue => "rescue",
            Self::Crash => "crash",
            Self::RetryByHand => "retry by hand",
        }
    }

    /// Whether a running job that it happens to is finished.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(State::Running.after(self), Some(state) if state.is_final())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the documentation, written out once more: from, event, to.
    const EDGES: &[(State, Event, State)] = &[
        (State::Scheduled, Event::Due, State::Available),
        (State::Retryable, Event::Due, State::Available),
        (State::Available, Event::Claim, State::Running),
        (State::Running, Event::Complete, State::Completed),
        (State::Running, Event::Retry, State::Retryable),
        (State::Running, Event::Snooze, State::Scheduled),
        (State::Running, Event::Discard, State::Discarded),
        (State::Running, Event::Crash, State::Discarded),
        (State::Running, Event::Release, State::Available),
        (State::Running, Event::Rescue, State::Available),
        (State::Scheduled, Event::Cancel, State::Cancelled),
        (State::Available, Event::Cancel, State::Cancelled),
        (State::Running, Event::Cancel, State::Cancelled),
        (State::Retryable, Event::Cancel, State::Cancelled),
        (State::Completed, Event::RetryByHand, State::Available),
        (State::Cancelled, Event::RetryByHand, State::Available),
        (State::Discarded, Event::RetryByHand, State::Available),
    ];

    #[test]
    fn exactly_the_edges_of_the_table_are_legal() {
        for from in State::ALL {
            for event in Event::ALL {
                let legal = EDGES.iter().find(|edge| (edge.0, edge.1) == (from, event)).map(|edge| edge.2);
                assert_eq!(from.after(event), legal, "{from} on {event:?}");
            }
        }
    }

    #[test]
    fn a_finished_job_leaves_only_by_hand() {
        for state in State::ALL.into_iter().filter(|state| state.is_final()) {
            let ways: Vec<_> = Event::ALL.into_iter().filter(|event| state.after(*event).is_some()).collect();
            assert_eq!(ways, [Event::RetryByHand]);
        }
    }

    #[test]
    fn every_state_reads_back_from_its_word() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.as_str()), Some(state));
        }
    }
}
