//! What a handler may ask for instead of failing, as errors to return.

use std::time::Duration;

use crate::Control;

/// Run again after the span; the attempt isn't counted: `Err(pgq::snooze(span))?`.
#[must_use = "return it as an error"]
pub fn snooze(span: Duration) -> Control {
    Control::Snooze(span)
}

/// The attempt failed; run again after the span instead of the policy's delay.
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
