//! Schedules, as backends keep them.

use std::time::Duration;

use pgq_core::schedule::Standing;
use pgq_core::{Codec, Headers, JobId, Missed, NewJob, Overlap, Priority, Tick, Timestamp, When};

/// What a schedule is: when it ticks, and what job a tick makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// Its name: that of its task, where code declares it.
    pub name: String,
    /// The task of its jobs.
    pub task: String,
    /// The lane of its jobs.
    pub queue: String,
    /// The priority of its jobs.
    pub priority: Priority,
    /// How many attempts a job of it may start.
    pub max_attempts: u16,
    /// How long after its tick a job may begin.
    pub expires_in: Option<Duration>,
    /// When it ticks, as [`Cadence::read`](pgq_core::Cadence::read) takes it.
    pub cadence: String,
    /// In which time zone.
    pub zone: String,
    /// What becomes of ticks that were missed.
    pub missed: Missed,
    /// What becomes of a tick while an earlier job isn't finished.
    pub overlap: Overlap,
    /// The encoded arguments, as MessagePack.
    pub payload: Vec<u8>,
    /// The gates that its jobs have to pass, as its arguments have it.
    pub limit_keys: Vec<String>,
}

impl Scheduled {
    /// The job of a tick: due since then.
    pub(crate) fn job(&self, tick: Tick) -> NewJob {
        NewJob {
            task: self.task.clone().into(),
            queue: self.queue.clone().into(),
            priority: self.priority,
            when: When::At(tick.at),
            max_attempts: self.max_attempts,
            timeout: None,
            expires_in: self.expires_in,
            unique: None,
            codec: Codec::MessagePack,
            payload: self.payload.clone(),
            headers: Headers::new(),
            tick: Some(tick),
            limit_keys: self.limit_keys.clone(),
        }
    }
}

/// All schedules, at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agenda {
    /// The instant, by the backend's clock.
    pub now: Timestamp,
    /// The schedules, by name.
    pub schedules: Vec<Kept>,
    /// The names of those that can't be read: another version wrote them.
    pub unread: Vec<String>,
    /// Another one wherever it may have changed what there is, which ticks when, and who declares it. Where they stand isn't in it.
    pub mark: i64,
}

/// A schedule, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is; without its arguments, where only their size was asked for.
    pub scheduled: Scheduled,
    /// How many bytes the encoded arguments have.
    pub size: usize,
    /// Grows whenever that changes.
    pub generation: i64,
    /// Where it stands.
    pub standing: Standing,
    /// The last tick of which a job was made.
    pub fired: Option<Timestamp>,
    /// The last job of it: of its last tick, or one that was made out of turn since.
    pub job: Option<JobId>,
    /// Whether it was created at run time, and not declared by workers.
    pub created: bool,
    /// Why it makes no jobs, where it is paused.
    pub paused: Option<String>,
    /// The highest number among the sets that live workers declare and that have it.
    pub edition: Option<i64>,
    /// Where it is orphaned, the earlier names of its task: an older version may declare it under one of them.
    pub earlier: Vec<String>,
}

impl Kept {
    /// Whether workers declared it, and none that lives does.
    #[must_use]
    pub fn is_orphaned(&self) -> bool {
        !self.created && self.edition.is_none()
    }
}

/// What is to be done about a schedule, if it still stands where it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Which.
    pub name: String,
    /// The generation that was seen.
    pub generation: i64,
    /// Where it stood.
    pub seen: Standing,
    /// The last tick that is accounted for then.
    pub last: Timestamp,
    /// The tick that waits then.
    pub waiting: Option<Timestamp>,
    /// The ticks that make a job each, in order.
    pub ticks: Vec<Ticked>,
}

/// A tick that makes a job, which is as its schedule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticked {
    /// The tick.
    pub tick: Tick,
    /// The headers of the job.
    pub headers: Headers,
}

impl Firing {
    /// The last tick that is fired.
    pub(crate) fn fired(&self) -> Option<Timestamp> {
        self.ticks.last().map(|ticked| ticked.tick.at)
    }
}
