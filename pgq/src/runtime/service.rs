//! What a service is, and the loop that drives one.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::heartbeat::Heartbeat;
use super::outage::{Voice, is_told};
use crate::error::{Error, Kind, Result};
use crate::platform::within;

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

    /// How long a turn is given at least before it counts as a sign that the link to the database is dead, however short the lease
    /// is.
    const LEAST: Duration = LEAST;

    /// What calls it before its time.
    fn signal(&self) -> Signal;

    /// Does one thing. After an error it is called again, later each time.
    fn turn(&mut self) -> impl Future<Output = Result<Next>> + Send;

    /// Does what was put off for the next turn, as none follows at once.
    fn pause(&mut self) {}
}

/// A turn is a few statements, but among very many jobs, or on a busy disk, one takes seconds. A link that is half open costs so long
/// until another is tried: meanwhile ends wait, and nothing is claimed. The lease doesn't hang on it, as a beat has no such grace.
pub(super) const LEAST: Duration = Duration::from_secs(5);
/// The server itself ends a statement that takes longer.
const MOST: Duration = Duration::from_mins(1);

/// Drives a service until it is done or told to stop. A turn that panics is a turn that failed.
pub(super) async fn drive<S: Service>(mut service: S, engine: Arc<Engine>, stop: CancellationToken) {
    let (signal, platform) = (service.signal(), engine.platform.clone());
    let mut voice = Voice::of(&engine.outage, S::NAME);
    let (mut failures, mut unanswered) = (0, 0);
    while !stop.is_cancelled() {
        // Noted before the turn, so that what is raised during it isn't missed.
        let seen = signal.count();
        let limit = longest(S::LEAST, engine.lease, unanswered);
        let next = match bounded(&mut service, &engine, limit).await {
            Ok(next) => {
                (failures, unanswered) = (0, 0);
                voice.reached();
                next
            }
            Err(error) => {
                service.pause();
                failures += 1;
                unanswered = if error.timed_out() { unanswered + 1 } else { 0 };
                // Whoever comes back to a server that was away has a lease's time to say so.
                let pause = backoff(failures, platform.random()).min(engine.lease / 3);
                tell_of::<S>(&error, pause, &engine, &mut voice);
                // Signals don't shorten this: a database that is away isn't helped by haste.
                tokio::select! {
                    () = platform.clock.sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
        };
        if next != Next::Again {
            service.pause();
        }
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
    service.pause();
}

/// Of a turn that failed and will be taken again. Who waits while handlers hold up the runtime comes too late to look at what he
/// waited for: the heartbeat, which has a thread of its own, knows better whether the database is away.
fn tell_of<S: Service>(error: &Error, pause: Duration, engine: &Engine, voice: &mut Voice) {
    let line = error.in_line();
    if error.is_away()
        && let Some(lapse) = engine.lapses.lately()
    {
        tracing::debug!(service = S::NAME, error = line, ?lapse, ?pause, "a turn failed as the process was stopped");
    } else if S::NAME != Heartbeat::NAME
        && error.timed_out()
        && engine.outage.reaches(Heartbeat::NAME)
        && let Some(task) = engine.held.held_up()
    {
        tracing::warn!(
            service = S::NAME,
            task,
            error = line,
            ?pause,
            "a turn took too long, most likely as a handler of this task holds up threads of the runtime"
        );
    } else if is_told(error) {
        voice.lost(error);
    } else {
        voice.reached();
        tracing::warn!(service = S::NAME, error = line, ?pause, "a turn failed and will be taken again");
    }
}

/// How long a turn may take under a lease of this span, after so many in a row that took too long: twice as long each time, as it
/// may be slow and not without an answer, and would otherwise be begun for ever.
pub(super) fn longest(least: Duration, span: Duration, unanswered: u32) -> Duration {
    let first = span.saturating_mul(2).max(least);
    let most = if least.is_zero() { first } else { first.max(MOST) };
    first.saturating_mul(1 << unanswered.min(6)).min(most)
}

/// One turn, which ends: a link that is half open would stay silent for ever. Its statement is dropped, and others begin on
/// new connections.
async fn bounded<S: Service>(service: &mut S, engine: &Engine, limit: Duration) -> Result<Next> {
    let turn = Caught(pin!(service.turn()));
    match within(limit, turn).await {
        Some(Ok(Err(error))) if error.is_read_only() => {
            engine.session.reconnect();
            Err(error)
        }
        Some(Ok(next)) => next,
        Some(Err(_)) => Err(Error::new(Kind::Interrupted, "a turn panicked")),
        None => {
            engine.session.reconnect();
            Err(Error::new(Kind::Unreachable, format!("a turn got no answer within {limit:?}")))
        }
    }
}

/// A future whose panic is its answer. What the panic left half-done is the business of the next turn.
pub(super) struct Caught<F>(pub(super) F);

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
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

    #[test]
    fn a_turn_is_given_seconds_however_short_the_lease_and_more_each_time() {
        let given = |lease, unanswered| longest(LEAST, Duration::from_secs(lease), unanswered).as_secs();
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(|unanswered| given(1, unanswered)), [5, 10, 20, 40, 60, 60]);
        assert_eq!([given(15, 0), given(15, 1), given(15, 9)], [30, 60, 60]);
        assert_eq!([given(3_600, 0), given(3_600, 9)], [7_200, 7_200], "never less than two leases");
        assert_eq!(
            longest(Duration::ZERO, Duration::from_secs(1), 9),
            Duration::from_secs(2),
            "a beat after that is too late"
        );
        assert_eq!(longest(Duration::MAX, Duration::from_secs(1), 0), Duration::MAX);
    }

    #[tokio::test]
    async fn a_signal_that_was_raised_before_the_wait_is_not_missed() {
        let signal = Signal::new();
        let seen = signal.count();
        signal.raise();
        signal.raised(seen).await;
    }
}
