//! What few jobs have: one column for all of it, empty in most rows.

use std::time::Duration;

use pgq_core::{NewJob, Tick, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Extra {
    /// How long an attempt may run, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    /// For how long its unique key stays taken after it has ended, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unique_for: Option<u64>,
    /// The tick that made it and the one before that, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tick: Option<(i64, Option<i64>)>,
    /// And the name of its schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    /// The gates of its task's limits with a key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    limit_keys: Vec<String>,
}

impl Extra {
    /// `None` where there is nothing to keep.
    pub(super) fn of(job: &NewJob) -> Option<Self> {
        let window = job.unique.as_ref().map(|unique| unique.window).filter(|window| !window.is_zero());
        let extra = Self {
            timeout: job.timeout.and_then(micros),
            unique_for: window.and_then(micros),
            tick: job.tick.as_ref().map(ticked),
            schedule: job.tick.as_ref().map(|tick| tick.schedule.clone()),
            limit_keys: job.limit_keys.clone(),
        };
        (extra != Self::default()).then_some(extra)
    }

    /// Of the job of a schedule's tick, which has nothing else.
    pub(super) fn of_tick(tick: &Tick) -> Self {
        Self { tick: Some(ticked(tick)), schedule: Some(tick.schedule.clone()), ..Self::default() }
    }

    pub(super) fn tick(&self) -> Option<Tick> {
        let (at, previous) = self.tick?;
        let schedule = self.schedule.clone().unwrap_or_default();
        Some(Tick { schedule, at: Timestamp::from_micros(at), previous: previous.map(Timestamp::from_micros) })
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_micros)
    }

    pub(super) fn into_limit_keys(self) -> Vec<String> {
        self.limit_keys
    }
}

fn micros(span: Duration) -> Option<u64> {
    u64::try_from(span.as_micros()).ok()
}

fn ticked(tick: &Tick) -> (i64, Option<i64>) {
    (tick.at.as_micros(), tick.previous.map(Timestamp::as_micros))
}
