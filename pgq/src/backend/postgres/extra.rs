//! What few jobs have: one column for all of it, empty in most rows.

use std::time::Duration;

use pgq_core::NewJob;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Extra {
    /// How long an attempt may run, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    /// For how long its unique key stays taken after it has ended, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique_for: Option<u64>,
}

impl Extra {
    /// `None` where there is nothing to keep.
    pub(super) fn of(job: &NewJob) -> Option<Self> {
        let window = job.unique.as_ref().map(|unique| unique.window).filter(|window| !window.is_zero());
        let extra = Self { timeout: job.timeout.and_then(micros), unique_for: window.and_then(micros) };
        (extra != Self::default()).then_some(extra)
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_micros)
    }
}

fn micros(span: Duration) -> Option<u64> {
    u64::try_from(span.as_micros()).ok()
}
