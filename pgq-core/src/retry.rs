//! Retry policies: how long a failed job waits for its next attempt.

use std::time::Duration;

/// How long a job waits after a failed attempt. The delay is stored with the job, not slept.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Retry {
    /// `base · factor^(attempt − 1)`, at most `max`.
    ///
    /// With `jitter` the delay is drawn evenly from zero to that ("full jitter", Marc Brooker, "Exponential Backoff And
    /// Jitter", AWS Architecture Blog, 2015), so that jobs which failed together don't come back together.
    Exponential {
        /// The delay after the first attempt.
        base: Duration,
        /// By how much it grows with each attempt, at least 1.
        factor: f64,
        /// The longest delay.
        max: Duration,
        /// Whether to draw from zero to the delay.
        jitter: bool,
    },
    /// `step · attempt`, at most `max`.
    Linear {
        /// The delay after the first attempt, and what each further one adds.
        step: Duration,
        /// The longest delay.
        max: Duration,
    },
    /// The same delay after every attempt.
    Fixed(Duration),
    /// A delay for each attempt in turn; the last one holds for all that follow.
    Delays(&'static [Duration]),
}

impl Retry {
    /// What a task has that says nothing: exponential from 1 s, doubling, at most 1 h, with full jitter.
    pub const DEFAULT: Self =
        Self::Exponential { base: Duration::from_secs(1), factor: 2.0, max: Duration::from_hours(1), jitter: true };

    /// The delay after attempt number `attempt` (from 1) failed. `random` is drawn evenly from 0 to 1.
    #[must_use]
    pub fn delay(&self, attempt: u16, random: f64) -> Duration {
        let attempt = attempt.max(1);
        match *self {
            Self::Exponential { base, factor, max, jitter } => {
                let grown = base.as_secs_f64() * factor.powi(i32::from(attempt) - 1);
                let capped = grown.min(max.as_secs_f64());
                let drawn = if jitter { capped * random.clamp(0.0, 1.0) } else { capped };
                Duration::try_from_secs_f64(drawn).unwrap_or(max)
            }
            Self::Linear { step, max } => step.saturating_mul(attempt.into()).min(max),
            Self::Fixed(delay) => delay,
            Self::Delays(delays) => {
                let turn = usize::from(attempt - 1);
                delays.get(turn).or(delays.last()).copied().unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    const DELAYS: &[Duration] = &[secs(1), secs(60), secs(300)];

    #[test]
    fn each_policy_gives_the_delays_of_its_table() {
        let exponential = Retry::Exponential { base: secs(1), factor: 3.0, max: secs(60), jitter: false };
        let linear = Retry::Linear { step: secs(10), max: secs(25) };
        let table: [(Retry, [u64; 5]); 4] = [
            (exponential, [1, 3, 9, 27, 60]),
            (linear, [10, 20, 25, 25, 25]),
            (Retry::Fixed(secs(7)), [7, 7, 7, 7, 7]),
            (Retry::Delays(DELAYS), [1, 60, 300, 300, 300]),
        ];
        for (policy, delays) in table {
            for (attempt, delay) in (1..).zip(delays) {
                assert_eq!(policy.delay(attempt, 0.5), secs(delay), "{policy:?} after attempt {attempt}");
            }
        }
    }

    #[test]
    fn full_jitter_draws_from_zero_to_the_delay() {
        assert_eq!(Retry::DEFAULT.delay(3, 0.0), Duration::ZERO);
        assert_eq!(Retry::DEFAULT.delay(3, 0.5), secs(2));
        assert_eq!(Retry::DEFAULT.delay(3, 1.0), secs(4));
    }

    #[test]
    fn no_attempt_number_overflows() {
        for policy in [Retry::DEFAULT, Retry::Linear { step: Duration::MAX, max: secs(9) }, Retry::Delays(&[])] {
            assert!(policy.delay(u16::MAX, 1.0) <= secs(3_600));
            assert!(policy.delay(0, 1.0) <= secs(3_600));
        }
    }
}
