//! The port: what a place that keeps jobs must be able to do, in the words of the domain.
//!
//! Four object-safe traits by party. [`Produce`] and [`Operate`] are the client's, on whatever connection it has.
//! [`Work`] and [`Maintain`] are a worker's, on a [`Session`] that [`Backend::register`] opens: a session has
//! connections of its own, so that handlers which use up the client's pool can't stop the engine.
//!
//! Deciding is pure and happens in `pgq-core`; a backend only writes what was decided. Neither the runtime nor the core
//! knows which backend it talks to, and one conformance suite holds all of them to the same semantics.
//!
//! Until version 1.0 verbs and fields are added as the features that need them arrive: implement these traits outside this
//! crate only if that is no surprise.

mod display;
mod limit;
mod limit_info;
pub(crate) mod memory;
mod operator;
pub(crate) mod postgres;
mod progress;
mod schedule;
mod vigil;
mod waits;
mod worker;

pub use limit::{Ask, Bounds, Limited, Measure, NextToken, Owed, PoolName, PoolView, Portion, Rate};
pub(crate) use limit::{GATE_AGE, GATE_LATE, PARKED};
pub use limit_info::{LimitInfo, LimitName, LimitShare};
pub(crate) use limit_info::{full_name, parts_of_gate, shown};
pub use operator::{
    Cancellation, Change, Deletion, Edited, FailedAttempt, Found, JobInfo, Migrated, Pausable, Pause, Retrial, Search,
};
pub(crate) use postgres::database;
pub use progress::{Advance, Progress, Steps};
pub use schedule::{Agenda, Firing, Kept, Scheduled, Ticked};
pub(crate) use waits::{Bar, NAMED};
pub use waits::{Holders, LimitWait, RunningJob, WaitsFor, Whereabouts};
pub(crate) use worker::SOON;
pub use worker::{
    Batch, Cancelled, Claim, Declaration, Declared, Discarded, Ended, Group, LookFor, Lost, Notice, Outlook, Promoted,
    Pruned, Reconciled, Registration, Renewal, Rescued, Verdict, Want, Watched,
};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::JobId;
pub use pgq_core::crash;
pub use pgq_core::{Claimed, Codec, Event, Failure, Lease, NewJob, OnConflict, Placement, Transition, Unique, When};
pub use uuid::Uuid;

use crate::Result;

/// What every verb returns: a boxed future costs nothing beside a network round trip, and keeps the traits object-safe.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A place that keeps jobs.
pub trait Backend: Produce + Operate {
    /// Opens a session for a worker: from now on its beats are expected, and its claims are its own.
    fn register(&self, worker: Registration) -> Answer<'_, Arc<dyn Session>>;

    /// Whether a session would keep what is said to it: an error where something in between keeps it from that, and words of
    /// warning where only notices don't come.
    fn self_test(&self) -> Answer<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}

/// A worker's end of the backend.
pub trait Session: Work + Maintain {}

impl<S: Work + Maintain> Session for S {}

/// The producer's verbs.
pub trait Produce: Send + Sync {
    /// Enqueues all the jobs or none, in one round trip; the answer has one entry for each, in order. Workers that sleep
    /// and can run them are woken.
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>>;

    /// Begins a transaction. Dropped, it is rolled back.
    fn begin(&self) -> Answer<'_, Box<dyn Transaction>>;

    /// Begins the transaction of an attempt, which sees what others commit meanwhile, whatever is usual: so its completion stands
    /// beside what is written of the attempt while that runs, as how far it has come.
    fn begin_attempt(&self) -> Answer<'_, Box<dyn Transaction>>;
}

/// A transaction of the producer's: jobs that exist once it is committed, and never did if it isn't.
pub trait Transaction: Send + Sync {
    /// Enqueues all the jobs or none within the transaction.
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>>;

    /// Lends the connection for the user's own SQL; an error where there is none.
    fn connection(&self) -> Answer<'_, postgres::TxConnection<'_>>;

    /// Makes it so.
    fn commit(self: Box<Self>) -> Answer<'static, ()>;

    /// Writes how an attempt ended, fenced, and commits that and all else in one: it stands whole, or nothing of it does. After
    /// an error the commit may stand or not; writing the end once more tells, as its fence lets only one of the two be. What the
    /// attempt holds of limits by key may stay until then.
    fn conclude(self: Box<Self>, lease: Lease, ended: Ended) -> Answer<'static, Verdict>;

    /// As if nothing had been.
    fn rollback(self: Box<Self>) -> Answer<'static, ()>;
}

/// What became of one job that was to be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Its id, or that of the one which has its unique key.
    pub id: JobId,
    /// What became of it.
    pub placement: Placement,
}

impl Enqueued {
    /// Where nobody waits for the answer: of a follow-up.
    pub(crate) fn warn_of_rejection(self, parent: JobId) {
        if let Placement::Rejected { .. } = self.placement {
            tracing::warn!(%parent, holder = %self.id, "a follow-up was left out: another job has its unique key");
        }
    }
}

/// The worker's verbs, in the order of a job's life.
pub trait Work: Send + Sync {
    /// The lease under which everything here is claimed and written.
    fn lease(&self) -> Lease;

    /// Wins the leases of jobs that may run, highest priority first: at most `claim.limit`, and of each want at most its
    /// cap. Waits for nobody's lock, and wins nothing once the worker was declared gone.
    fn claim(&self, claim: Claim) -> Answer<'_, Batch>;

    /// The pools of all limits without a key, and what this worker has of them.
    fn pools(&self) -> Answer<'_, Vec<PoolView>>;

    /// Says what it keeps of pools and would like to have, and is told what it has then. Others who have to know are told too.
    /// A pool that there is none of bounds nothing.
    fn share(&self, asks: Vec<(PoolName, Ask)>) -> Answer<'_, Vec<(PoolName, Portion)>>;

    /// Says when the worker has its next tokens of rates, for operators. Of a pool of which it has other units by now, or whose rate
    /// is another, nothing is written.
    fn foretell(&self, tokens: Vec<(PoolName, NextToken)>) -> Answer<'_, ()>;

    /// Says for how long producers shall wake this worker, or with `None` that it is awake. The answer comes once every
    /// later enqueue can see it, so that a claim which begins afterwards misses nothing.
    fn doze(&self, asleep: Option<Duration>) -> Answer<'_, ()>;

    /// Writes how far attempts have come, each fenced on (id, lease, epoch); one verdict for each, in order.
    fn advance(&self, advances: Vec<Advance>) -> Answer<'_, Vec<Verdict>>;

    /// Writes how attempts ended, each fenced on (id, lease, epoch); one verdict for each, in order.
    fn finish<'a>(&'a self, ended: &'a [Ended]) -> Answer<'a, Vec<Verdict>>;

    /// Hands back what the lease holds but for these claims (job, epoch), attempts refunded. After a claim whose
    /// answer was lost nobody else could: the worker lives, and so does its lease. Which of these claims it doesn't hold is told
    /// too, and none of their numbers is given twice.
    fn release_all_but(&self, kept: Vec<(JobId, u32)>) -> Answer<'_, Reconciled>;

    /// Whether anything of these is available, running, due or to be retried, whoever it is that has it.
    fn unfinished(&self, wants: Arc<[Want]>) -> Answer<'_, bool>;

    /// Opens the worker's pulse. It may have a connection that lives on the calling thread's runtime.
    fn attend(&self) -> Answer<'_, Box<dyn Pulse>>;

    /// Leaves the connections that it has to themselves and makes new ones: a link that is half open gives no answer, and
    /// says nothing of that either.
    fn reconnect(&self);

    /// Ends the session: the worker is known no longer. Jobs that it still holds are handed back; `idle` says that there are
    /// none, which saves looking.
    fn deregister(&self, idle: bool) -> Answer<'_, ()>;
}

/// A worker's sign of life and its ear, which share a connection.
pub trait Pulse: Send {
    /// Extends the lease of the worker and so of every job it runs.
    fn renew(&mut self) -> Answer<'_, Renewal> {
        Box::pin(async { Ok(self.look(LookFor::default()).await?.0) })
    }

    /// The same, and looks in that step for what there is to do. It may see something where there is nothing, and never misses
    /// what is there.
    fn look(&mut self, look_for: LookFor) -> Answer<'_, (Renewal, Outlook)>;

    /// Declares workers gone whose connections have ended, by what the last [`renew`](Self::renew) saw. Where there are no
    /// connections nobody is missed.
    fn watch(&mut self) -> Answer<'_, Watched>;

    /// Waits for the next notice. Cancelling the wait loses nothing.
    fn notice(&mut self) -> Answer<'_, Notice>;

    /// Whether there will ever be one: a worker without looks by itself.
    fn hears(&self) -> bool {
        true
    }
}

/// The verbs that any worker may do for all: whoever comes first does the due step.
pub trait Maintain: Send + Sync {
    /// Makes up to `step` due jobs available, and wakes who sleeps and can run them: nobody for a single one which the asker would
    /// claim himself, as he rests and wants these.
    fn promote_beside(&self, step: u32, wants: Arc<[Want]>) -> Answer<'_, Promoted>;

    /// The same for one who wants nothing.
    fn promote(&self, step: u32) -> Answer<'_, Promoted> {
        self.promote_beside(step, Arc::default())
    }

    /// Declares workers gone whose lease is over, and frees up to `step` jobs that they held.
    fn rescue(&self, step: u32) -> Answer<'_, Rescued>;

    /// Finds leases for which no worker answers, once a minute over the fleet, and leaves what they hold to
    /// [`rescue`](Maintain::rescue); how many leases.
    fn sweep(&self) -> Answer<'_, u32>;

    /// Takes away what this session has left behind, and answers whether it is its turn to look for what is old: once a minute over
    /// the fleet.
    fn tidy(&self) -> Answer<'_, bool>;

    /// Discards up to `step` jobs that nobody has begun in time, and that nobody claims either.
    fn expire(&self, step: u32) -> Answer<'_, Vec<Discarded>>;

    /// Deletes what history has kept for long enough, in steps of about `step` rows.
    fn prune(&self, step: u32) -> Answer<'_, Pruned>;

    /// Puts in what the worker's code declares, and gives that set a number, or the one that it had. A schedule or limit stays as
    /// it is where a set with a higher number that a live worker declares has it too, or for a task's own limit the task, and
    /// where the schedule was created at run time. A schedule under an earlier name of its task takes the new name, and stays
    /// where it stands. A limit of one of the tasks that isn't declared any more is gone.
    fn declare(&self, declared: Declared) -> Answer<'_, i64>;

    /// Deletes the declared schedules that no worker declares who lives, or has been gone for no longer than `grace`; their
    /// names. Who has gone is known for an hour.
    fn prune_schedules(&self, grace: Duration) -> Answer<'_, Vec<String>>;

    /// All schedules, without their arguments, and where they stand.
    fn agenda(&self) -> Answer<'_, Agenda>;

    /// Moves each schedule on and enqueues the jobs of its ticks, if it stands where it was seen; whether it did, one answer for
    /// each, in order. All in one step: it stands whole, or nothing of it does. No two are of one schedule.
    fn fire(&self, firings: Vec<Firing>) -> Answer<'_, Vec<bool>>;
}

/// The operator's verbs.
pub trait Operate: Send + Sync {
    /// Installs what is missing of the schema, or brings it up to date; says what was done.
    fn migrate(&self) -> Answer<'_, Migrated>;

    /// An error where the schema is absent, outdated or newer than this crate.
    fn check(&self) -> Answer<'_, ()>;

    /// Where one line says what this is: `PostgreSQL 15.18, schema pgq`.
    fn describe(&self) -> Answer<'_, String>;

    /// Cancels jobs: queued ones at once, running ones through their worker. One answer for each id, in order.
    fn cancel(&self, ids: Vec<JobId>, why: String) -> Answer<'_, Vec<Cancellation>>;

    /// Makes finished jobs available again. One answer for each id, in order.
    fn retry(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Retrial>>;

    /// Jobs, queued or finished, while they are kept. Of unknown ones nothing is answered; the order is that of the ids.
    fn get(&self, ids: Vec<JobId>) -> Answer<'_, Vec<JobInfo>>;

    /// Looks for jobs, the newest first, and reads no more rows than it is told to.
    fn find(&self, search: Search) -> Answer<'_, Found>;

    /// Changes a queued job.
    fn edit(&self, id: JobId, change: Change) -> Answer<'_, Edited>;

    /// Deletes jobs that don't run, and all that is known of them. One answer for each id, in order.
    fn delete(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Deletion>>;

    /// From now on nothing of it is claimed, for a span or until it is resumed; what runs goes on. Paused again, it takes
    /// the new reason and end.
    fn pause(&self, what: Pausable, reason: String, span: Option<Duration>) -> Answer<'_, ()>;

    /// Undoes a pause, and wakes who sleeps; whether there was one.
    fn resume(&self, what: Pausable) -> Answer<'_, bool>;

    /// What is paused.
    fn pauses(&self) -> Answer<'_, Vec<Pause>>;

    /// Where a job stands, queued or finished, while it is kept.
    fn whereabouts(&self, id: JobId) -> Answer<'_, Option<Whereabouts>>;

    /// Who has something of a limit without a key, which counts these tasks under whatever name and in whatever queue. Where very
    /// many jobs wait, it may miss some that run behind them.
    fn holders(&self, limit: String, tasks: Vec<String>) -> Answer<'_, Holders>;

    /// All limits, by full name, with what is declared and set of them and what is in use.
    fn limits(&self) -> Answer<'_, Vec<LimitInfo>>;

    /// Sets bounds in place of what is declared, or with `None` clears them: of a limit, or of one of its gates. Whether
    /// there was such a limit, and with `None` whether there was something to clear. What has no declaration and no bounds is gone.
    fn set_limit(&self, name: LimitName, bounds: Option<Bounds>) -> Answer<'_, bool>;

    /// What workers have declared of their tasks, by name; of the task of one name or earlier name only, if one is given.
    fn declarations(&self, name: Option<String>) -> Answer<'_, Vec<Declaration>>;

    /// All schedules, and where they stand.
    fn schedules(&self) -> Answer<'_, Agenda>;

    /// Creates a schedule, or changes one that was created; `false` if workers declare one of this name, which stays.
    fn create_schedule(&self, scheduled: Scheduled) -> Answer<'_, bool>;

    /// Pauses a schedule for a reason, or without one lets it go on with the ticks from then; `false` if there is none, or it is
    /// so already.
    fn hold_schedule(&self, name: String, paused: Option<String>) -> Answer<'_, bool>;

    /// Makes a job of a schedule out of turn, which stays where it stands; `None` if there is no such schedule. It is its last
    /// job from then on, unless that isn't finished.
    fn trigger_schedule(&self, name: String, ticked: Ticked) -> Answer<'_, Option<JobId>>;

    /// Deletes a schedule; whether there was one.
    fn delete_schedule(&self, name: String) -> Answer<'_, bool>;
}
