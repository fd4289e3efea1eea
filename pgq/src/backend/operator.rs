//! What operators ask for and are told.

use pgq_core::{Codec, FailureKind, Filter, Headers, JobId, Priority, State, Tick, Timestamp, When};

use super::progress::Progress;
use crate::Result;
use crate::task::to_json;

/// A look for jobs, the newest first, which reads no more than it is told to.
#[derive(Clone, Debug)]
pub struct Search {
    /// Which jobs.
    pub filter: Filter,
    /// Only those enqueued before this one; all, where there is none.
    pub before: Option<JobId>,
    /// How many at most.
    pub limit: u32,
    /// How many rows to read at most.
    pub budget: u32,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The jobs, the newest first.
    pub ids: Vec<JobId>,
    /// How many rows it read.
    pub read: u64,
    /// Where to go on, where there may be more.
    pub next: Option<JobId>,
}

/// What is to be changed of a queued job; what isn't said stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Refused unless the job is of this task.
    pub task: Option<String>,
    /// Higher runs first.
    pub priority: Option<Priority>,
    /// When it may run.
    pub when: Option<When>,
    /// The encoded arguments, and how they are written.
    pub payload: Option<(Codec, Vec<u8>)>,
    /// The gates that it has to pass: they go with the arguments.
    pub limit_keys: Option<Vec<String>>,
}

/// What came of a wish to edit a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Edited {
    /// It is changed.
    Done,
    /// It runs just now, with what it had.
    Running,
    /// It is of another task, which the new arguments don't fit.
    OtherTask,
    /// It was finished already.
    Finished(State),
    /// There is no such job, or it is no longer kept.
    Unknown,
}

/// What came of a wish to delete a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deletion {
    /// It is gone, with all that was known of it.
    Done,
    /// It runs just now: cancel it first.
    Running,
    /// There is no such job, or it is no longer kept.
    Unknown,
}

/// What can be paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Pausable {
    /// Every job that waits in this queue.
    Queue(String),
    /// Every job of this task.
    Task(String),
}

/// A queue or task from which nothing is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pause {
    /// What.
    pub what: Pausable,
    /// Why, in the words of who paused it.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; for ever, where nobody said.
    pub until: Option<Timestamp>,
}

/// What came of a wish to cancel a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancellation {
    /// It was queued, and is cancelled.
    Done,
    /// It runs: its worker is told, the attempt's token fires within about a second, and the job is cancelled when its
    /// handler has ended.
    Asked,
    /// It was finished already.
    Finished(State),
    /// There is no such job, or it is no longer kept.
    Unknown,
}

/// What came of a wish to retry a finished job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retrial {
    /// It is available again. Its attempts go on counting, and as many as it had at first are granted anew.
    Done,
    /// It isn't finished: there is nothing to retry.
    Queued,
    /// Another job has its unique key by now.
    Duplicate,
    /// There is no such job, or it is no longer kept.
    Unknown,
}

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version before; 0 where nothing was installed.
    pub from: u32,
    /// The version now.
    pub to: u32,
}

/// A job as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobInfo {
    /// Its id.
    pub id: JobId,
    /// The task that runs it.
    pub task: String,
    /// The lane that it waits in.
    pub queue: String,
    /// Where it stands.
    pub state: State,
    /// Higher runs first.
    pub priority: Priority,
    /// How many attempts were started and not refunded.
    pub attempt: u16,
    /// How many may start in total.
    pub max_attempts: u16,
    /// How often it was claimed.
    pub epoch: u32,
    /// How often a worker died while it ran the job.
    pub crashes: u16,
    /// When it was enqueued.
    pub created: Timestamp,
    /// Since or from when it may run.
    pub run_at: Timestamp,
    /// When it was finished, where it was.
    pub finished: Option<Timestamp>,
    /// How far the attempt that runs has come, or else the last one came, if its handler said so.
    pub progress: Option<Progress>,
    /// Text that travels along.
    pub headers: Headers,
    /// The tick that made it, and of which schedule, where one did.
    pub tick: Option<Tick>,
    /// How its payload is written: a [`Codec`]'s number.
    pub codec: i16,
    /// The encoded arguments.
    pub payload: Vec<u8>,
    /// The attempts that failed, the oldest first: the last hundred of them.
    pub failures: Vec<FailedAttempt>,
    /// What can't be read of it, and why, where something can't: another version wrote it, or somebody changed it by hand. Of that
    /// nothing is here (no headers, no tick, no chain of a failure's), and it stays in the database as it is. The payload is
    /// read by [`args`](Self::args) only.
    pub damage: Option<String>,
}

/// One failed attempt as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// Which attempt, from 1.
    pub attempt: u16,
    /// Which claim.
    pub epoch: u32,
    /// How it failed.
    pub kind: FailureKind,
    /// What the error said.
    pub message: String,
    /// What its sources said, the nearest first.
    pub chain: Vec<String>,
    /// Who ran it, as `host:pid`; nobody where the job was queued.
    pub worker: Option<String>,
    /// When it began, where that is known: who crashed told nobody.
    pub started: Option<Timestamp>,
    /// When it ended, or was found out to have: by the backend's clock, less what has gone by until that was written.
    pub ended: Timestamp,
}

impl Pausable {
    /// The word for its kind, and its name.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Queue(name) => ("queue", name),
            Self::Task(name) => ("task", name),
        }
    }
}

impl std::fmt::Display for Pausable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, name) = self.parts();
        write!(f, "{kind} {name}")
    }
}

impl JobInfo {
    /// Its arguments, as JSON.
    ///
    /// # Errors
    /// The payload can't be read: a newer version wrote it, or it was damaged.
    pub fn args(&self) -> Result<serde_json::Value> {
        to_json(self.codec, &self.payload).map_err(|error| error.about_task(&self.task).about_job(self.id))
    }
}
