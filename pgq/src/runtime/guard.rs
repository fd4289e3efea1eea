//! A handler's future behind a wall: whatever panics in it ends its attempt and nothing else.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pgq_core::{Failure, FailureKind, Outcome};

use crate::task::Run;

/// Runs a handler to its outcome; a panic while it is made, polled or dropped is one of its outcomes, or nobody's.
///
/// What a panic left half-done is seen by nobody: the future isn't polled again.
pub(super) struct Guarded(Result<Option<Run>, Failure>);

impl Guarded {
    pub(super) fn new(make: impl FnOnce() -> Run) -> Self {
        Self(catch_unwind(AssertUnwindSafe(make)).map(Some).map_err(|panic| describe(&*panic)))
    }
}

impl Future for Guarded {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let run = match &mut self.0 {
            Ok(Some(run)) => run,
            Ok(None) => return Poll::Pending,
            Err(failure) => return Poll::Ready(Outcome::Failed(failure.clone())),
        };
        match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(panic) => Poll::Ready(Outcome::Failed(describe(&*panic))),
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Ok(run) = &mut self.0 {
            let run = run.take();
            if catch_unwind(AssertUnwindSafe(|| drop(run))).is_err() {
                tracing::warn!("a handler panicked while it was dropped");
            }
        }
    }
}

pub(super) fn describe(panic: &(dyn Any + Send)) -> Failure {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::new(FailureKind::Panic, message.unwrap_or("a panic without a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    async fn message(make: impl FnOnce() -> Run) -> String {
        match Guarded::new(make).await {
            Outcome::Failed(failure) => failure.message().to_owned(),
            other => panic!("{other:?} is no failure"),
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_wherever_it_comes_from() {
        assert_eq!(message(|| panic!("made")).await, "made");
        assert_eq!(message(|| Box::pin(async { panic!("{}", "polled") })).await, "polled");
        assert_eq!(message(|| Box::pin(async { std::panic::panic_any(7) })).await, "a panic without a message");
    }

    #[tokio::test]
    async fn a_handler_that_panics_when_it_is_dropped_harms_nobody() {
        drop(Guarded::new(|| {
            let bomb = Bomb;
            Box::pin(async move {
                let _bomb = bomb;
                std::future::pending().await
            })
        }));
    }
}
