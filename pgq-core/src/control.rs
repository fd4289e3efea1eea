//! What a handler may ask for instead of failing.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A handler's wish for its job, returned as an error: `Err(pgq::snooze(span))?`, or
/// `user.ok_or_else(|| pgq::discard("no such user"))?`.
///
/// It is found wherever it stands in the chain of [`source`](Error::source)s. An error enum of your own carries one as a
/// source, with thiserror `#[error("as asked")] Asked(#[from] pgq::Control)`; a *transparent* variant would hide it, as it
/// passes on the control's own source instead of the control.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// Run again after the span; the attempt isn't counted.
    Snooze(Duration),
    /// The attempt failed; run again after the span instead of the policy's delay.
    RetryIn(Duration),
    /// Give up for good; the job is kept as discarded and can be retried by hand.
    Discard(String),
    /// Stop by wish; the job is kept as cancelled.
    Cancel(String),
}

impl Control {
    /// The first control in an error's chain of sources, itself included.
    #[must_use]
    pub fn within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snooze(span) => write!(f, "snoozed for {span:?}"),
            Self::RetryIn(span) => write!(f, "to be retried in {span:?}"),
            Self::Discard(why) => write!(f, "discarded: {why}"),
            Self::Cancel(why) => write!(f, "cancelled: {why}"),
        }
    }
}

impl Error for Control {}
