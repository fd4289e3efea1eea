//! Crashes: what becomes of a job whose holder died, and who is to blame.
//!
//! A process that dies takes all its jobs with it, and nobody saw which of them, if any, killed it. So crashes are counted
//! apart from attempts. After the first one a job runs again at once, in its old place: most often a machine went, and nobody is to blame. From
//! the second on it is a suspect: it waits a while, and a worker runs no two suspects at a time, so that whoever kills his
//! worker again takes no other suspect along, and bystanders are cleared by running to their end. At five crashes a job is
//! discarded, and so is one whose attempts are used up.

use std::time::Duration;

use crate::{Failure, FailureKind};

/// With so many crashes a job is run beside no other that has as many.
pub const SUSPECT: u16 = 2;
/// With so many crashes it is discarded.
pub const MOST: u16 = 5;
/// How long it waits after the second crash; three times as long after each further one.
pub const PAUSE: Duration = Duration::from_secs(10);

/// What becomes of a job whose holder died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It runs again after a while, which may be none.
    Again(Duration),
    /// It is discarded.
    Discarded,
}

/// What is said of the attempt that a holder took with it.
#[must_use]
pub fn failure(holder: &str) -> Failure {
    Failure::new(FailureKind::Crashed, &format!("the worker {holder} fell silent while it held the job"))
}

/// What becomes of a job that has crashed so often, this time included.
#[must_use]
pub fn fate(crashes: u16, attempt: u16, max_attempts: u16) -> Fate {
    if crashes >= MOST || attempt >= max_attempts {
        return Fate::Discarded;
    }
    match crashes.checked_sub(SUSPECT) {
        Some(further) => Fate::Again(PAUSE.saturating_mul(3_u32.saturating_pow(further.into()))),
        None => Fate::Again(Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_crashes_waits_longer_each_time_and_is_given_up_at_the_fifth() {
        let seconds: Vec<_> = (1..=5)
            .map(|crashes| match fate(crashes, crashes, 20) {
                Fate::Again(pause) => Some(pause.as_secs()),
                Fate::Discarded => None,
            })
            .collect();
        assert_eq!(seconds, [Some(0), Some(10), Some(30), Some(90), None]);
    }

    #[test]
    fn who_has_no_attempt_left_is_given_up_at_once() {
        assert_eq!(fate(1, 3, 3), Fate::Discarded);
        assert_eq!(fate(1, 2, 3), Fate::Again(Duration::ZERO));
    }
}
