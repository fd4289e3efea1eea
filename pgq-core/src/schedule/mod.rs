//! Schedules: when they tick, and which ticks make a job.
//!
//! A [`Cadence`] says when; [`due`] says which of its ticks are to be fired, given the last one that was accounted for. Both
//! are pure, so that the macro and every worker of a fleet come to the same answer.

mod cadence;
mod cron;
mod due;
mod error;
mod every;
mod plan;
mod policy;
mod times;

pub use cadence::Cadence;
pub use due::{Due, FORGIVEN, FORGOTTEN, MOST, due, upcoming};
pub use error::ScheduleError;
pub use every::meant_span;
pub use plan::{Plan, Standing, plan};

use crate::Timestamp;

/// One tick of a schedule: the time that was meant, however late the job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The name of the schedule.
    pub schedule: String,
    /// When it was meant to be.
    pub at: Timestamp,
    /// The tick before it of which a job was made, where there was one: work that goes by windows takes `previous` to `at`,
    /// and misses nothing of what was skipped.
    pub previous: Option<Timestamp>,
}

/// What becomes of ticks that nobody fired in time, because no worker was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One job for all of them: the latest.
    #[default]
    Once,
    /// A job for each, but for no more than so many: the latest.
    All(u16),
}

/// What becomes of a tick while a job of an earlier one isn't finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overlap {
    /// It makes a job all the same.
    Allow,
    /// It makes none.
    #[default]
    Skip,
    /// It makes one that waits, but there is never more than one that waits.
    Queue,
}

/// What a task declares about when its jobs are made. Built in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When it ticks, as [`Cadence::read`] takes it.
    pub cadence: &'static str,
    /// The IANA name of its time zone.
    pub zone: &'static str,
    /// What becomes of ticks that were missed.
    pub missed: Missed,
    /// What becomes of a tick while an earlier job isn't finished.
    pub overlap: Overlap,
}
