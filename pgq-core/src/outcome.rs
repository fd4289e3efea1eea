//! From the outcome of an attempt to what becomes of its job. The decision is data: [`decide`] makes it, the completer
//! writes it, and nobody decides twice.

use std::time::Duration;

use crate::literal::MAX_SPAN;
use crate::{Control, Event, Failure, FailureKind, Retry};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler succeeded.
    Completed,
    /// The handler failed.
    Failed(Failure),
    /// The handler asked for something.
    Asked(Control),
    /// The handler failed, and the task says of this error what to do.
    Judged(Failure, Control),
    /// No further attempt would do: the payload can't be read, or the time to begin is over.
    Hopeless(Failure),
    /// The worker stops and the attempt had not ended.
    Released,
}

impl From<Control> for Outcome {
    fn from(control: Control) -> Self {
        Self::Asked(control)
    }
}

/// What the decision needs to know of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The attempt that ended, from 1.
    pub attempt: u16,
    /// How many may start in total.
    pub max_attempts: u16,
}

/// What becomes of a job whose attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transition {
    /// To history, completed.
    Complete,
    /// Waits for its next attempt.
    Retry {
        /// How long.
        after: Duration,
        /// Why.
        failure: Failure,
    },
    /// Waits for a later run; the attempt is refunded.
    Snooze {
        /// How long.
        after: Duration,
    },
    /// To history, discarded.
    Discard {
        /// Why.
        failure: Failure,
    },
    /// To history, cancelled.
    Cancel {
        /// Why.
        failure: Failure,
    },
    /// Available again at once; the attempt is refunded.
    Release,
}

impl Transition {
    /// The event of the state machine that this is.
    #[must_use]
    pub const fn event(&self) -> Event {
        match self {
            Self::Complete => Event::Complete,
            Self::Retry { .. } => Event::Retry,
            Self::Snooze { .. } => Event::Snooze,
            Self::Discard { .. } => Event::Discard,
            Self::Cancel { .. } => Event::Cancel,
            Self::Release => Event::Release,
        }
    }

    /// How long the job waits, where it does.
    #[must_use]
    pub const fn delay(&self) -> Option<Duration> {
        match self {
            Self::Retry { after, .. } | Self::Snooze { after } => Some(*after),
            Self::Complete | Self::Discard { .. } | Self::Cancel { .. } | Self::Release => None,
        }
    }

    /// Why the attempt failed, where it did.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Retry { failure, .. } | Self::Discard { failure } | Self::Cancel { failure } => Some(failure),
            Self::Complete | Self::Snooze { .. } | Self::Release => None,
        }
    }
}

/// What becomes of a job whose attempt ended so. `random` is drawn evenly from 0 to 1, for the policy's jitter.
#[must_use]
pub fn decide(outcome: Outcome, job: Standing, policy: &Retry, random: f64) -> Transition {
    match outcome {
        Outcome::Completed => Transition::Complete,
        Outcome::Failed(failure) => retry_or_discard(job, policy.delay(job.attempt, random), failure),
        Outcome::Asked(Control::Snooze(after)) => Transition::Snooze { after: after.min(MAX_SPAN) },
        Outcome::Asked(Control::RetryIn(after)) => {
            retry_or_discard(job, after, Failure::new(FailureKind::Error, &Control::RetryIn(after).to_string()))
        }
        Outcome::Asked(Control::Discard(why)) => {
            Transition::Discard { failure: Failure::new(FailureKind::Discarded, &why) }
        }
        Outcome::Asked(Control::Cancel(why)) => {
            Transition::Cancel { failure: Failure::new(FailureKind::Cancelled, &why) }
        }
        Outcome::Judged(failure, Control::RetryIn(after)) => retry_or_discard(job, after, failure),
        Outcome::Judged(failure, Control::Discard(why)) => {
            Transition::Discard { failure: failure.with_cause(&format!("given up: {why}")) }
        }
        Outcome::Judged(failure, Control::Cancel(why)) => {
            Transition::Cancel { failure: Failure::new(FailureKind::Cancelled, &why).with_cause(failure.message()) }
        }
        Outcome::Judged(_, control) => decide(Outcome::Asked(control), job, policy, random),
        Outcome::Hopeless(failure) => Transition::Discard { failure },
        Outcome::Released => Transition::Release,
    }
}

fn retry_or_discard(job: Standing, after: Duration, failure: Failure) -> Transition {
    // A handler may ask for any span; what is longer than every other one of ours could overflow an instant.
    let after = after.min(MAX_SPAN);
    if job.attempt < job.max_attempts { Transition::Retry { after, failure } } else { Transition::Discard { failure } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    const POLICY: Retry = Retry::Fixed(Duration::from_secs(5));

    fn standing(attempt: u16, max_attempts: u16) -> Standing {
        Standing { attempt, max_attempts }
    }

    fn failure() -> Failure {
        Failure::new(FailureKind::Error, "no route to host")
    }

    #[test]
    fn each_outcome_leads_where_the_table_says() {
        let after = Duration::from_secs(9);
        let table = [
            (Outcome::Completed, 1, State::Completed),
            (Outcome::Failed(failure()), 1, State::Retryable),
            (Outcome::Failed(failure()), 3, State::Discarded),
            (Outcome::Asked(Control::RetryIn(after)), 2, State::Retryable),
            (Outcome::Asked(Control::RetryIn(after)), 3, State::Discarded),
            (Outcome::Asked(Control::Snooze(after)), 3, State::Scheduled),
            (Outcome::Asked(Control::Discard("why".into())), 1, State::Discarded),
            (Outcome::Asked(Control::Cancel("why".into())), 1, State::Cancelled),
            (Outcome::Judged(failure(), Control::RetryIn(after)), 2, State::Retryable),
            (Outcome::Judged(failure(), Control::RetryIn(after)), 3, State::Discarded),
            (Outcome::Judged(failure(), Control::Discard("why".into())), 1, State::Discarded),
            (Outcome::Judged(failure(), Control::Snooze(after)), 3, State::Scheduled),
            (Outcome::Judged(failure(), Control::Cancel("why".into())), 1, State::Cancelled),
            (Outcome::Hopeless(failure()), 1, State::Discarded),
            (Outcome::Released, 3, State::Available),
        ];
        for (outcome, attempt, state) in table {
            let transition = decide(outcome.clone(), standing(attempt, 3), &POLICY, 0.5);
            assert_eq!(State::Running.after(transition.event()), Some(state), "{outcome:?} at attempt {attempt}");
        }
    }

    #[test]
    fn a_failed_attempt_waits_as_the_policy_says_and_an_asked_one_as_asked() {
        let decided = decide(Outcome::Failed(failure()), standing(1, 2), &POLICY, 0.5);
        assert_eq!(decided, Transition::Retry { after: Duration::from_secs(5), failure: failure() });
        let asked = Outcome::Asked(Control::RetryIn(Duration::from_secs(9)));
        let decided = decide(asked, standing(1, 2), &POLICY, 0.5);
        assert!(matches!(decided, Transition::Retry { after, .. } if after == Duration::from_secs(9)));
    }

    #[test]
    fn what_is_said_of_an_error_leaves_its_message() {
        let judged = |control| decide(Outcome::Judged(failure(), control), standing(1, 2), &POLICY, 0.5);
        let after = Duration::from_secs(9);
        assert_eq!(judged(Control::RetryIn(after)), Transition::Retry { after, failure: failure() });
        let Transition::Discard { failure: kept } = judged(Control::Discard("why".into())) else {
            panic!("not discarded")
        };
        assert_eq!((kept.message(), kept.chain()), (failure().message(), &["given up: why".to_owned()][..]));
    }
}
