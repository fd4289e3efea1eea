//! What workers tell a backend, and are told.

use std::sync::Arc;
use std::time::Duration;

use pgq_core::{Claimed, Failure, JobId, Lease, NewJob, Timestamp, Transition};
use uuid::Uuid;

use super::limit::Limited;
use super::progress::Steps;
use super::schedule::Scheduled;

/// A worker that introduces itself.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Drawn at random for this session.
    pub lease: Lease,
    /// The worker instance, kept over sessions.
    pub instance: Uuid,
    /// The machine's name.
    pub host: String,
    /// The process's number.
    pub pid: u32,
    /// For how long a beat holds.
    pub span: Duration,
    /// Whether its claims and ends wait for the disk.
    pub synchronous_commit: bool,
    /// What it can run.
    pub wants: Vec<Want>,
    /// What its tasks declare.
    pub tasks: Vec<Declaration>,
}

/// What one task declares, for those who read along: operators, dashboards, code that doesn't know the type.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// The canonical name.
    pub name: String,
    /// The lane of its jobs.
    pub queue: String,
    /// Its options, as they read.
    pub options: serde_json::Value,
    /// The JSON Schema (draft 2020-12) of its arguments, unless it has none.
    pub schema: Option<serde_json::Value>,
}

/// A set of what the code of workers declares, which has a number over the fleet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// The tasks.
    pub tasks: Vec<String>,
    /// The schedules.
    pub schedules: Vec<Scheduled>,
    /// The limits.
    pub limits: Vec<Limited>,
}

impl Declared {
    /// In one order, by which a set is known again.
    #[must_use]
    pub(crate) fn sorted(mut self) -> Self {
        self.tasks.sort();
        self.schedules.sort_by(|a, b| a.name.cmp(&b.name));
        self.limits.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }

    /// Of the limits that tasks share the name, once for each task that does, and the task.
    pub(crate) fn shared(&self) -> impl Iterator<Item = (&str, &str)> {
        self.limits.iter().flat_map(|limited| limited.sharers.iter().map(|task| (&*limited.name, &**task)))
    }
}

/// Schedules, and nothing else.
impl From<Vec<Scheduled>> for Declared {
    fn from(schedules: Vec<Scheduled>) -> Self {
        Self { schedules, ..Self::default() }
    }
}

/// A lane and task that a worker runs, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The lane.
    pub queue: Arc<str>,
    /// The task.
    pub task: Arc<str>,
    /// How many jobs of it at most. Of none, it is only looked whether there is one.
    pub cap: u32,
}

/// Wants that share what room there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which, by their place among the wants.
    pub wants: Vec<usize>,
    /// How many jobs of all of them at most.
    pub room: u32,
}

/// A worker's wish for jobs.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it can run.
    pub wants: Arc<[Want]>,
    /// Those among them that a limit holds together.
    pub groups: Vec<Group>,
    /// How many jobs in total.
    pub limit: u32,
    /// Whether to look at every job that may run, also where short cuts would pass it by: before sleeping, and after a
    /// notice.
    pub thorough: bool,
    /// Whether a job that may have killed its workers can be among them: one at most.
    pub suspect: bool,
}

/// What a claim won.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The jobs, highest priority first, then the longest due.
    pub jobs: Vec<Claimed>,
    /// There was more than could be taken for a reason that has passed: claim again before sleeping.
    pub again: bool,
    /// These are all that there were, of any priority: what another claim would win has become available since. It may be left unsaid.
    pub all: bool,
    /// The wants, by their place, of which nothing was wanted and there is something.
    pub blocked: Vec<usize>,
    /// How soon a gate opens that has held one of them up, where nobody else is known to look at it then.
    pub opens: Option<Duration>,
    /// Nothing could be won: the backend may have forgotten claims of this lease, so what it holds and what its worker knows
    /// of have to be brought together first.
    pub forgetful: bool,
}

/// An attempt that ended, and what becomes of its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which job.
    pub id: JobId,
    /// Which claim.
    pub epoch: u32,
    /// For how long the attempt ran: its holder knows, and the backend, whose clock may differ, counts back from the end.
    pub ran: Duration,
    /// How long ago it ended, as its holder measures when it has this written: longer than a moment where that took several tries.
    pub ago: Duration,
    /// What becomes of it.
    pub transition: Transition,
    /// For how long history keeps it, where it is finished; zero keeps nothing.
    pub keep: Duration,
    /// How far it came, where that isn't written yet.
    pub steps: Option<Steps>,
    /// What is enqueued in the same step, where it is completed.
    pub follow_ups: Vec<NewJob>,
    /// The gates that it had to pass.
    pub limit_keys: Vec<String>,
}

/// What became of one write of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands.
    Written,
    /// Refused: the job is no longer this claim's.
    Lost,
    /// Somebody else has the row locked just now: try again.
    Busy,
}

/// Whether a worker still counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease is extended.
    Alive {
        /// Running jobs that were cancelled since the last beat.
        cancelled: Vec<Cancelled>,
    },
    /// The worker was declared gone: its jobs are others' now.
    Gone,
}

/// What a beat is to look for besides: what a worker that rests would else ask for by itself.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are a set: any of them may be asked for")]
pub struct LookFor {
    /// What it would claim, however much of each.
    pub wants: Arc<[Want]>,
    /// Whether a job that may have killed its workers would be among it.
    pub suspect: bool,
    /// Whether something is due.
    pub due: bool,
    /// Whether the schedules are as they were.
    pub schedules: bool,
    /// Whether somebody is lost.
    pub lost: bool,
}

/// What a beat saw of that.
#[expect(clippy::struct_excessive_bools, reason = "they are a set: any of them may be")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// There may be something to claim. Of what is paused nothing is.
    pub ready: bool,
    /// How long until a deferred job is due; nothing, where that is past, or where nobody has looked at a gate as it opened.
    pub due: Option<Duration>,
    /// When that was, by the backend's clock.
    pub now: Timestamp,
    /// The schedules as they were, as in [`Agenda::mark`](super::Agenda::mark).
    pub mark: i64,
    /// A tick waits for nothing any more.
    pub overdue: bool,
    /// How long until the lease of another worker is over, if that gives no sign of life.
    pub lapse: Option<Duration>,
    /// Somebody was declared gone, and what he held isn't free yet; or a wish to cancel came too late for this worker, and is for
    /// whoever rescues.
    pub lost: bool,
    /// The backend may have forgotten claims of this worker since it was last made sure of what it holds, as after a crash.
    pub forgetful: bool,
}

impl Outlook {
    /// Of nothing that was looked for.
    pub const NOTHING: Self = Self {
        ready: false,
        due: None,
        now: Timestamp::EPOCH,
        mark: 0,
        overdue: false,
        lapse: None,
        lost: false,
        forgetful: false,
    };
}

/// What a look for other workers came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// So many were declared gone.
    pub gone: u32,
    /// Somebody is missed: look again in half a second.
    pub missing: bool,
}

/// A running job that was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// Which job.
    pub id: JobId,
    /// Which claim.
    pub epoch: u32,
    /// Why.
    pub why: String,
}

/// What is due sooner than a sleeper's next look has to wake it, so that somebody promotes it in time.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// What a worker was woken for. Notices that wait add up to one.
#[expect(clippy::struct_excessive_bools, reason = "they are a set: any of them may be")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// There may be something to claim.
    pub work: bool,
    /// Something may be due before the next look: see what is to be promoted.
    pub soon: bool,
    /// A running job was cancelled: beat at once.
    pub told: bool,
    /// Something is to be had of a limit, or to be given back.
    pub limits: bool,
}

impl Notice {
    /// Look at everything: notices may have been lost.
    pub const ALL: Self = Self { work: true, soon: true, told: true, limits: true };

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            work: self.work || other.work,
            soon: self.soon || other.soon,
            told: self.told || other.told,
            limits: self.limits || other.limits,
        }
    }
}

/// What a step of promotion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promoted {
    /// How many jobs became available.
    pub moved: u32,
    /// Others were woken for all of them.
    pub heard: bool,
    /// How long until the next one is due, where one waits.
    pub next: Option<Duration>,
    /// It has looked at gates that were due, before anybody else.
    pub opened: bool,
    /// How long until the next gate is due, where one holds somebody up.
    pub opens: Option<Duration>,
}

/// What a lease holds and what a worker knows of, brought together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// How many jobs were handed back that the worker didn't know of.
    pub released: u32,
    /// The worker's claims (job, epoch) that the lease doesn't hold: they have ended, or were forgotten.
    pub forgotten: Vec<(JobId, u32)>,
}

/// What a step of rescue did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Workers declared gone.
    pub gone: u32,
    /// How many jobs they held that are held no longer.
    pub freed: u32,
    /// Which.
    pub lost: Vec<Lost>,
    /// Those among them that were discarded: workers died with them too often, or their attempts are used up.
    pub discarded: Vec<Discarded>,
    /// How long the lease of another worker lasts that will be over first, if none of them gives a sign of life.
    pub next: Option<Duration>,
}

/// A job whose worker is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which job.
    pub id: JobId,
    /// The task.
    pub task: String,
    /// Whose it was.
    pub lease: Lease,
    /// The worker's name, as failures have it.
    pub worker: String,
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discarded {
    /// Its id, by which the client finds all that is known of it.
    pub id: JobId,
    /// The task that ran it.
    pub task: String,
    /// How many attempts were started and not refunded.
    pub attempt: u16,
    /// Why.
    pub failure: Failure,
}

impl Discarded {
    /// A job that was given up.
    #[must_use]
    pub const fn new(id: JobId, task: String, attempt: u16, failure: Failure) -> Self {
        Self { id, task, attempt, failure }
    }
}

/// What a step of pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many rows went.
    pub rows: u64,
    /// It has looked at as many as it may, and there may be others.
    pub more: bool,
}
