//! Who is there, who sleeps, and whom new work wakes.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::limit::share::Awaited;
use pgq_core::{Lease, Timestamp};
use tokio::sync::Notify;

use super::row::{Lane, Place};
use super::store::Store;
use crate::backend::{Cancelled, Notice, Registration, Renewal, Want};

/// One sleeper is woken for so many jobs.
const JOBS_PER_WORKER: usize = 16;

/// A worker whose beats are expected. One that was declared gone has no entry.
pub(super) struct Worker {
    /// `host:pid`.
    pub(super) name: Arc<str>,
    pub(super) beat: Timestamp,
    pub(super) span: Duration,
    asleep_until: Option<Timestamp>,
    /// What its bell has rung for and it hasn't heard yet.
    notice: Notice,
    /// Jobs that it runs and that were cancelled since its last beat.
    pub(super) cancelled: Vec<Cancelled>,
    wants: HashSet<Lane>,
    /// The number of the wake that it last got.
    woken: u64,
    bell: Arc<Notify>,
    /// The number of the set of schedules that it declares.
    pub(super) edition: Option<i64>,
}

impl Worker {
    /// How it lives, where it hasn't said what it runs.
    pub(super) fn awaited(&self) -> Awaited {
        Awaited { beat: self.beat, span: self.span }
    }

    fn sleeps(&self, now: Timestamp) -> bool {
        self.asleep_until.is_some_and(|until| now < until)
    }
}

/// Jobs that the running verb made ready, or due soon.
#[derive(Default)]
pub(super) struct Fresh {
    jobs: usize,
    lanes: HashSet<Lane>,
    notice: Notice,
}

impl Fresh {
    pub(super) fn note(&mut self, lane: &Lane, notice: Notice) {
        self.jobs += 1;
        self.notice = self.notice.and(notice);
        if !self.lanes.contains(lane) {
            self.lanes.insert(lane.clone());
        }
    }
}

impl Worker {
    /// Whether it lives and has jobs of this queue and task.
    pub(super) fn serves(&self, lane: &Lane, now: Timestamp) -> bool {
        self.beat.saturating_add(self.span) >= now && self.wants.contains(lane)
    }
}

impl Store {
    pub(super) fn register(&mut self, worker: &Registration) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        let entry = Worker {
            name: format!("{}:{}", worker.host, worker.pid).into(),
            beat: self.now,
            span: worker.span,
            asleep_until: None,
            notice: Notice::default(),
            cancelled: Vec::new(),
            wants: worker.wants.iter().map(Lane::from).collect(),
            woken: 0,
            bell: Arc::clone(&bell),
            edition: None,
        };
        self.workers.insert(worker.lease, entry);
        self.declarations.extend(worker.tasks.iter().map(|task| (task.name.clone(), task.clone())));
        bell
    }

    pub(super) fn renew(&mut self, lease: Lease) -> Renewal {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&lease) else { return Renewal::Gone };
        worker.beat = now;
        let wishes = mem::take(&mut worker.cancelled);
        let runs = |wish: &Cancelled| {
            self.jobs.get(&wish.id).is_some_and(|row| row.place == Place::Held(lease) && row.epoch == wish.epoch)
        };
        let (cancelled, over): (Vec<_>, Vec<_>) = wishes.into_iter().partition(runs);
        if let Some(worker) = self.workers.get_mut(&lease) {
            // Said with every beat for as long as they run: an answer may be lost.
            worker.cancelled.clone_from(&cancelled);
        }
        // Whoever frees what is lost sees to these.
        self.untold.extend(over);
        Renewal::Alive { cancelled }
    }

    pub(super) fn doze(&mut self, lease: Lease, asleep: Option<Duration>) {
        if let Some(worker) = self.workers.get_mut(&lease) {
            worker.asleep_until = asleep.map(|span| self.now.saturating_add(span));
        }
    }

    /// Tells a worker that a job which it runs was cancelled.
    pub(super) fn tell(&mut self, lease: Lease, cancelled: Cancelled) {
        if let Some(worker) = self.workers.get_mut(&lease) {
            worker.cancelled.push(cancelled);
            worker.notice.told = true;
            worker.bell.notify_one();
        }
    }

    /// Tells workers to look at their limits.
    pub(super) fn ring(&mut self, leases: &[Lease]) {
        for lease in leases {
            if let Some(worker) = self.workers.get_mut(lease) {
                worker.notice.limits = true;
                worker.bell.notify_one();
            }
        }
    }

    /// Tells all of them.
    pub(super) fn ring_all(&mut self) {
        let leases: Vec<Lease> = self.workers.keys().copied().collect();
        self.ring(&leases);
    }

    pub(super) fn hear(&mut self, lease: Lease) -> Notice {
        self.workers.get_mut(&lease).map_or(Notice::ALL, |worker| mem::take(&mut worker.notice))
    }

    /// Wakes a few who sleep and can run what is fresh; whether there were as many as that is for. A sleeper stays marked until it says
    /// that it is awake, so whoever was woken longest ago comes first: else a stream of single jobs would wake the same one again and
    /// again.
    pub(super) fn wake(&mut self) -> bool {
        let Fresh { jobs, lanes, notice } = mem::take(&mut self.fresh);
        let sleepers = self.workers.values_mut().filter(|worker| worker.sleeps(self.now));
        let mut able: Vec<_> = sleepers.filter(|worker| !worker.wants.is_disjoint(&lanes)).collect();
        able.sort_by_key(|worker| worker.woken);
        let (most, there) = (jobs.div_ceil(JOBS_PER_WORKER), able.len());
        for worker in able.into_iter().take(most) {
            self.wakes += 1;
            worker.woken = self.wakes;
            worker.notice = worker.notice.and(notice);
            worker.bell.notify_one();
        }
        jobs > 0 && there >= most
    }

    /// The same, but for a single job that somebody who rests and wants these would claim; whether they were woken for all that is fresh.
    pub(super) fn wake_others(&mut self, wants: &[Want]) -> bool {
        let is_own = |want: &Want| want.cap > 0 && self.fresh.lanes.contains(&Lane::from(want));
        if self.fresh.jobs == 1 && wants.iter().any(is_own) {
            self.fresh = Fresh::default();
            return false;
        }
        self.wake()
    }
}
