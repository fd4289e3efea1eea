//! What a handler gives back, whatever types it is written with, as an outcome.

use std::any::Any;
use std::future::Future;

use pgq_core::{Control, Failure, FailureKind, Outcome};

use super::{Context, blocking};
use crate::BoxError;

/// An error of a handler, read: a wish ([`Control`](crate::Control)) or a failure.
#[derive(Debug)]
pub struct HandlerError(Outcome);

impl HandlerError {
    /// Reads an error of any type that a handler may return.
    pub fn new<E: TaskError>(error: E) -> Self {
        // Boxing anyhow's and eyre's errors hides what they carry, so they are asked before.
        if let Some(control) = carried(&error) {
            return Self(Outcome::Asked(control));
        }
        let error = error.into_boxed();
        Self(match Control::within(&*error) {
            Some(control) => Outcome::Asked(control.clone()),
            None => Outcome::Failed(Failure::from_error(FailureKind::Error, &*error)),
        })
    }

    /// Reads an error of which the task says itself what to do, unless it is a wish already.
    fn judged<E: TaskError>(error: E, judge: Judge<E>, attempt: u16) -> Self {
        let said = judge(attempt, &error);
        match (Self::new(error).0, said) {
            (Outcome::Failed(failure), Some(control)) => Self(Outcome::Judged(failure, control)),
            (outcome, _) => Self(outcome),
        }
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        self.0
    }
}

/// The control that an error of anyhow or eyre carries at any depth.
#[cfg_attr(
    not(any(feature = "anyhow", feature = "eyre")),
    expect(unused_variables, reason = "without the features there is no such error")
)]
fn carried(error: &dyn Any) -> Option<Control> {
    #[cfg(feature = "anyhow")]
    if let Some(error) = error.downcast_ref::<anyhow::Error>() {
        return error.downcast_ref::<Control>().or_else(|| Control::within(error.as_ref())).cloned();
    }
    #[cfg(feature = "eyre")]
    if let Some(error) = error.downcast_ref::<eyre::Report>() {
        return error.downcast_ref::<Control>().or_else(|| Control::within(error.as_ref())).cloned();
    }
    None
}

/// What a task's function may return: `Result<T, E>`, by any name. That its `E` is a [`TaskError`] isn't said here: a wrong
/// one would take the `T` with it, and each mention of that would be one more error.
#[diagnostic::on_unimplemented(
    message = "a task returns a `Result`, got `{Self}`",
    label = "not a `Result`",
    note = "write `Result<{Self}, pgq::BoxError>`, or an error type of your own or of anyhow"
)]
pub trait TaskResult: Sized {
    /// The `T`.
    type Output;
    /// The `E`.
    type Error;

    /// As it is.
    ///
    /// # Errors
    /// The handler's own.
    fn into_result(self) -> Result<Self::Output, Self::Error>;

    /// With its error read.
    ///
    /// # Errors
    /// The handler's own.
    fn read<E: TaskError>(self) -> Result<Self::Output, HandlerError>
    where
        Self: TaskResult<Error = E>,
    {
        self.into_result().map_err(HandlerError::new)
    }
}

#[diagnostic::do_not_recommend]
impl<T, E> TaskResult for Result<T, E> {
    type Output = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// What a task may fail with: `anyhow::Error`, a boxed error, one of your own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error that a task can fail with",
    label = "expected an error that is `Send + Sync + 'static`",
    note = "implement `std::error::Error` for a type of your own, or take `pgq::BoxError` or `anyhow::Error`"
)]
pub trait TaskError: 'static {
    /// The error in a box.
    fn into_boxed(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError> + 'static> TaskError for E {
    fn into_boxed(self) -> BoxError {
        self.into()
    }
}

/// One attempt by an `async fn`. The future is `Send` by declaration: what isn't is told of the handler's own future here,
/// and not once more of whatever awaits it.
#[expect(clippy::manual_async_fn, reason = "that it is `Send` has to be declared")]
pub fn attempt<R, O>(handler: impl Future<Output = R> + Send, read: fn(R) -> O) -> impl Future<Output = O> + Send {
    async move { read(handler.await) }
}

/// One attempt by a plain `fn`, off the runtime's threads; its panic goes on here. The result is read over there, so that an
/// error needn't be `Send` to get here.
pub fn blocking_attempt<C, R: 'static, O: Send + 'static>(
    context: Context<C>,
    handler: impl FnOnce() -> R + Send + 'static,
    read: fn(R) -> O,
) -> impl Future<Output = O> + Send {
    let attempt = context.into_attempt();
    async move { blocking::run(attempt, move || read(handler())).await }
}

/// What a task says of its errors: the number of the attempt and the error, to what to do instead of what the policy says.
type Judge<E> = fn(u16, &E) -> Option<Control>;

/// As [`attempt`], for a task that says what to do about its errors.
#[expect(clippy::manual_async_fn, reason = "that it is `Send` has to be declared")]
pub fn judged_attempt<R: TaskResult<Error = E>, E: TaskError>(
    handler: impl Future<Output = R> + Send,
    judge: Judge<E>,
    number: u16,
) -> impl Future<Output = Result<R::Output, HandlerError>> + Send {
    async move { handler.await.into_result().map_err(|error| HandlerError::judged(error, judge, number)) }
}

/// As [`blocking_attempt`], for a task that says what to do about its errors.
pub fn judged_blocking_attempt<C, R, E>(
    context: Context<C>,
    handler: impl FnOnce() -> R + Send + 'static,
    judge: Judge<E>,
    number: u16,
) -> impl Future<Output = Result<R::Output, HandlerError>> + Send
where
    R: TaskResult<Error = E> + 'static,
    R::Output: Send + 'static,
    E: TaskError,
{
    let handler = move || handler().into_result().map_err(|error| HandlerError::judged(error, judge, number));
    blocking_attempt(context, handler, |result| result)
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Wrapped(Control);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    fn discard() -> Control {
        Control::Discard("gone".into())
    }

    #[test]
    fn a_control_is_found_at_any_depth() {
        let boxed: BoxError = Box::new(Wrapped(discard()));
        for error in [HandlerError::new(discard()), HandlerError::new(Wrapped(discard())), HandlerError::new(boxed)] {
            assert_eq!(error.into_outcome(), Outcome::Asked(discard()));
        }
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn a_control_is_found_in_anyhow_below_its_contexts() {
        for error in [anyhow::Error::new(discard()).context("outer"), anyhow::Error::new(Wrapped(discard()))] {
            assert_eq!(HandlerError::new(error).into_outcome(), Outcome::Asked(discard()));
        }
    }

    #[test]
    fn any_other_error_is_a_failure_with_its_message() {
        let Outcome::Failed(failure) = HandlerError::new("no route").into_outcome() else { panic!("not a failure") };
        assert_eq!((failure.kind(), failure.message()), (FailureKind::Error, "no route"));
    }
}
