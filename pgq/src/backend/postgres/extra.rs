//! What few jobs have: one column for all of it, empty in most rows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Extra {
    /// How long an attempt may run, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
}

impl Extra {
    /// `None` where there is nothing to keep.
    pub(super) fn of(timeout: Option<Duration>) -> Option<Self> {
        let timeout = u64::try_from(timeout?.as_micros()).ok();
        Some(Self { timeout })
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_micros)
    }
}
