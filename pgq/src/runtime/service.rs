//! What a service is, and the loop that drives one.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::platform::Platform;

/// When a service wants its next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At once: there is more.
    Again,
    /// After a span, or when its signal is raised.
    After(Duration),
    /// When its signal is raised.
    OnSignal,
    /// Never.
    Done,
}

/// A part of the worker that does one bounded thing at a time.
pub(super) trait Service: Send {
    /// What the log calls it.
    const NAME: &'static str;

    /// What calls it before its time.
    fn signal(&self) -> Signal;

    /// Does one thing. After an error it is called again, later each time.
    fn turn(&mut self) -> impl Future<Output = Result<Next>> + Send;
}

/// Drives a service until it is done or told to stop.
pub(super) async fn drive<S: Service>(mut service: S, platform: Platform, stop: CancellationToken) {
    let signal = service.signal();
    let mut failures = 0;
    while !stop.is_cancelled() {
        // Noted before the turn, so that what is raised during it isn't missed.
        let seen = signal.count();
        let next = match service.turn().await {
            Ok(next) => {
                failures = 0;
                next
            }
            Err(error) => {
                failures += 1;
                let pause = backoff(failures, platform.random());
                tracing::warn!(service = S::NAME, ?error, ?pause, "a turn failed and will be taken again");
                // Signals don't shorten this: a database that is away isn't helped by haste.
                tokio::select! {
                    () = platform.clock.sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
        };
        match next {
            Next::Again => tokio::task::yield_now().await,
            Next::Done => return,
            Next::OnSignal => tokio::select! {
                () = signal.raised(seen) => {}
                () = stop.cancelled() => {}
            },
            Next::After(span) => tokio::select! {
                () = platform.clock.sleep(span) => {}
                () = signal.raised(seen) => {}
                () = stop.cancelled() => {}
            },
        }
    }
}

/// How long to pause after so many failures in a row: from 50 ms, doubling, at most 5 s, the upper half by chance, so that
/// a fleet doesn't come back in one moment.
pub(super) fn backoff(failures: u32, random: f64) -> Duration {
    let full =
        Duration::from_millis(50).saturating_mul(1 << failures.saturating_sub(1).min(7)).min(Duration::from_secs(5));
    full.mul_f64(0.5 + random / 2.0)
}

/// A count that others can wait on. Raising it is cheap, and lost on nobody who noted the count before he looked.
#[derive(Clone, Debug)]
pub(super) struct Signal(watch::Sender<u64>);

impl Signal {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn raise(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    pub(super) fn count(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until the count differs from `seen`.
    pub(super) async fn raised(&self, seen: u64) {
        // Only fails once the sender is gone, and that is `self`.
        let _ = self.0.subscribe().wait_for(|count| *count != seen).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_keep_their_lower_half() {
        assert_eq!(backoff(1, 0.0), Duration::from_millis(25));
        assert_eq!(backoff(3, 1.0), Duration::from_millis(200));
        assert_eq!(backoff(u32::MAX, 1.0), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_signal_that_was_raised_before_the_wait_is_not_missed() {
        let signal = Signal::new();
        let seen = signal.count();
        signal.raise();
        signal.raised(seen).await;
    }
}
