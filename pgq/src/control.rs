//! What a handler may ask for instead of failing, as errors to return.

use std::time::Duration;

use crate::Control;

/// Run again after the span; the attempt isn't counted: `Err(pgq::snooze(span))?`.
#[must_use = "return it as an error"]
pub fn snooze(span: Duration) -> Control {
    Control::Snooze(span)
}

/// The attempt failed; run again after the span instead of the policy's delay.
///
/// A handler returns it as an error. A task's `on_error` gives it back for an error that says when to come again:
///
/// ```
/// # use std::time::Duration;
/// # #[derive(Debug)]
/// # enum ChargeError { Declined, Busy(Duration), Io }
/// # impl std::fmt::Display for ChargeError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{self:?}") }
/// # }
/// # impl std::error::Error for ChargeError {}
/// impl ChargeError {
///     fn what_to_do(attempt: u16, error: &Self) -> Option<pgq::Control> {
///         match error {
///             Self::Declined => Some(pgq::discard("the card was declined")),
///             Self::Busy(span) => Some(pgq::retry_in(*span * attempt.into())),
///             Self::Io => None, // as the policy says
///         }
///     }
/// }
///
/// #[pgq::task(on_error = ChargeError::what_to_do)]
/// async fn charge(order: u64) -> Result<(), ChargeError> {
///     Err(if order == 7 { ChargeError::Busy(Duration::from_secs(30)) } else { ChargeError::Declined })
/// }
/// # fn main() {}
/// ```
#[must_use = "return it as an error"]
pub fn retry_in(span: Duration) -> Control {
    Control::RetryIn(span)
}

/// Give up for good: `user.ok_or_else(|| pgq::discard("no such user"))?`. The job is kept and can be retried by hand.
#[must_use = "return it as an error"]
pub fn discard(why: impl Into<String>) -> Control {
    Control::Discard(why.into())
}

/// Stop by wish: the job is kept as cancelled.
#[must_use = "return it as an error"]
pub fn cancel(why: impl Into<String>) -> Control {
    Control::Cancel(why.into())
}
