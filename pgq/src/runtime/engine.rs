//! What the services of one worker share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pgq_core::{Failure, JobId};
use tokio_util::sync::CancellationToken;

use super::at_work::AtWork;
use super::completer::Outbox;
use super::discards::Discards;
use super::doorkeeper::Doorkeeper;
use super::handed::Handed;
use super::held::Held;
use super::lapses::Lapses;
use super::limits::Limits;
use super::lookout::Lookout;
use super::outage::Outage;
use super::plan::{Duties, Plan};
use super::registration::Declared;
use super::service::Signal;
use super::slots::Slots;
use super::tenure::Tenure;
use crate::Client;
use crate::backend::{Discarded, Group, Session, Want};
use crate::platform::Platform;
use crate::task::{Blocking, BoundTask, Resources};

pub(super) struct Engine {
    pub(super) session: Arc<dyn Session>,
    /// For how long the worker may be silent.
    pub(super) lease: Duration,
    pub(super) tenure: Tenure,
    pub(super) platform: Platform,
    pub(super) client: Client,
    /// By name and alias.
    pub(super) tasks: HashMap<&'static str, Arc<BoundTask>>,
    pub(super) wants: Arc<[Want]>,
    pub(super) slots: Slots,
    pub(super) limits: Arc<Limits>,
    pub(super) blocking: Arc<Blocking>,
    pub(super) at_work: AtWork,
    pub(super) has_blocking: bool,
    /// The jobs that were claimed and whose end isn't written yet.
    pub(super) held: Held,
    pub(super) handed: Handed,
    pub(super) outbox: Outbox,
    pub(super) discards: Discards,
    pub(super) lookout: Lookout,
    pub(super) doorkeeper: Doorkeeper,
    /// There may be something to claim, or room for it.
    pub(super) stir: Signal,
    /// Something is due soon.
    pub(super) due: Signal,
    /// A job that a tick of a schedule made has ended.
    pub(super) ticks: Signal,
    /// Another worker was declared gone.
    pub(super) lost_one: Signal,
    /// Whether notices would reach us.
    pub(super) hears: AtomicBool,
    pub(super) doubts: Doubts,
    pub(super) lapses: Lapses,
    pub(super) outage: Arc<Outage>,
    pub(super) halt: Halt,
    pub(super) declared: Declared,
    pub(super) duties: Duties,
    /// Whether orphaned schedules are deleted.
    pub(super) prunes_schedules: bool,
}

/// The steps of coming to an end, each a token that fires once.
#[derive(Clone, Debug, Default)]
pub(super) struct Halt {
    /// Claim nothing more.
    pub(super) drain: CancellationToken,
    /// Handlers should end early: the parent of every attempt's token.
    pub(super) hurry: Arc<CancellationToken>,
    /// Handlers are dropped, their jobs handed back.
    pub(super) abort: CancellationToken,
    /// The services that outlive the handlers end too.
    pub(super) close: CancellationToken,
    /// The worker has left, and gives no more signs of life: the parent of `close`.
    pub(super) still: CancellationToken,
    /// New jobs can't be heard of, and the worker isn't to live with that.
    pub(super) deaf: CancellationToken,
    /// The worker was declared gone: what it holds is others' now.
    pub(super) lost: CancellationToken,
}

impl Halt {
    /// For one session of a worker, which ends when the worker is asked to, and may end before.
    pub(super) fn of_session(asked: &CancellationToken) -> Self {
        let still = CancellationToken::new();
        Self { drain: asked.child_token(), close: still.child_token(), still, ..Self::default() }
    }
}

impl Engine {
    pub(super) fn new<R: Resources>(
        plan: &Plan<R>,
        session: Arc<dyn Session>,
        tenure: Tenure,
        declared: Declared,
        halt: Halt,
    ) -> Self {
        let Plan { client, entries, tasks, wants, slots, blocking, stir, lease, .. } = plan;
        let has_blocking = tasks.values().any(|task| task.entry.blocking);
        Self {
            session,
            lease: *lease,
            tenure,
            platform: client.platform().clone(),
            client: client.clone(),
            tasks: tasks.clone(),
            wants: Arc::clone(wants),
            has_blocking,
            slots: Slots::new(*slots, stir.clone()),
            limits: Arc::new(Limits::of(entries, *slots, client.platform(), stir.clone())),
            blocking: Arc::clone(blocking),
            at_work: plan.at_work.clone(),
            held: Held::default(),
            handed: Handed::default(),
            outbox: Outbox::new(stir.clone()),
            discards: Discards::told_to(&plan.resources),
            lookout: Lookout::default(),
            doorkeeper: Doorkeeper::default(),
            stir: stir.clone(),
            due: Signal::new(),
            ticks: Signal::new(),
            lost_one: Signal::new(),
            hears: AtomicBool::new(false),
            doubts: Doubts::default(),
            lapses: Lapses::default(),
            outage: Arc::clone(&plan.outage),
            halt,
            declared,
            duties: plan.duties,
            prunes_schedules: plan.prunes_schedules,
        }
    }

    /// What may be claimed now: of each blocking task no more than can begin.
    pub(super) fn wants_now(&self) -> Arc<[Want]> {
        let free = self.free_places();
        if !self.has_blocking || self.wants.iter().all(|want| want.cap <= free) {
            return Arc::clone(&self.wants);
        }
        let cap = |want: &Want| if self.blocks(want) { want.cap.min(free) } else { want.cap };
        let wants = self.wants.iter().map(|want| Want { cap: cap(want), ..want.clone() });
        wants.filter(|want| want.cap > 0).collect()
    }

    /// The blocking tasks among these, of which together no more are claimed than can begin: what waited for a thread would start
    /// long after its limits have let it. `None` where a claim of so many jobs can't be too many.
    pub(super) fn blocking_group(&self, wants: &[Want], limit: usize) -> Option<Group> {
        let room = self.free_places();
        if !self.has_blocking || limit <= self.blocking.free() {
            return None;
        }
        let blocking = wants.iter().enumerate().filter(|(_, want)| want.cap > 0 && self.blocks(want));
        let (places, caps): (Vec<usize>, Vec<u32>) = blocking.map(|(place, want)| (place, want.cap)).unzip();
        (caps.into_iter().fold(0, u32::saturating_add) > room).then_some(Group { wants: places, room })
    }

    fn blocks(&self, want: &Want) -> bool {
        self.tasks.get(&*want.task).is_some_and(|task| task.entry.blocking)
    }

    fn free_places(&self) -> u32 {
        u32::try_from(self.blocking.free()).unwrap_or(u32::MAX)
    }

    /// This claim of a job (job, epoch) ended with it being discarded, and that is written.
    pub(super) fn tell_of_discard(&self, claim: (JobId, u32), failure: &Failure) {
        if let Some((task, attempt)) = self.held.of(claim) {
            self.discards.tell(Discarded::new(claim.0, task.to_owned(), attempt, failure.clone()));
        }
    }

    /// An attempt of the task of this name has ended.
    pub(super) fn make_room(&self, task: &str) {
        self.limits.ended(task);
        self.slots.give();
    }

    /// These claims (job, epoch) have been answered for.
    pub(super) fn let_go(&self, claims: impl IntoIterator<Item = (JobId, u32)>) {
        let gone = self.held.remove(claims);
        if gone.suspect {
            // The claimer may have left another suspect alone because of one of them.
            self.stir.raise();
        }
        if gone.ticked {
            // The schedule's next tick may wait for one of them.
            self.ticks.raise();
        }
    }

    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::SeqCst)
    }
}

/// Reasons to think that the lease holds jobs of which this process doesn't know: a claim without an answer, a server that
/// may have forgotten something. They are counted, so that whoever settles what he saw leaves what came after it.
#[derive(Debug, Default)]
pub(super) struct Doubts(AtomicUsize);

impl Doubts {
    pub(super) fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// So many of those that were counted are no more.
    pub(super) fn settle(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::SeqCst);
    }
}
