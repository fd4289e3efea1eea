//! The jobs of this worker, from their claim until the backend has answered for their end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pgq_core::{Claimed, JobId, Timestamp};

use super::flag::Flag;
use super::pace::{Manners, Pace};
use crate::backend::{Advance, Cancelled, Ended};
use crate::task::Gauge;

#[derive(Debug, Default)]
pub(super) struct Held {
    claims: Mutex<BTreeMap<(JobId, u32), Grip>>,
    suspects: AtomicUsize,
    manners: Arc<Manners>,
}

/// A hold on one attempt from outside.
#[derive(Clone, Debug)]
pub(super) struct Grip(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    why: OnceLock<String>,
    cancelled: Flag,
    /// Up too when it is lost.
    doubted: Flag,
    lost: Flag,
    /// Its handler has ended, and only the end is to be written.
    over: AtomicBool,
    /// Whether it matters that no other attempt runs beside it.
    alone: Arc<AtomicBool>,
    gauge: Arc<Gauge>,
    suspect: bool,
    /// A tick of a schedule made the job.
    ticked: bool,
    pace: Pace,
}

/// What was among claims that are held no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) suspect: bool,
    pub(super) ticked: bool,
}

impl Grip {
    /// Waits until the job is cancelled; why it was.
    pub(super) async fn cancelled(&self) -> String {
        self.0.cancelled.up().await;
        self.0.why.get().cloned().unwrap_or_default()
    }

    /// Waits until the lease is in doubt, where that matters, or lost; which of the two, in words.
    pub(super) async fn doubted(&self) -> &'static str {
        self.0.doubted.up().await;
        if self.0.lost.is_up() {
            return "the job is no longer this worker's";
        }
        "the worker's signs of life weren't accepted in time"
    }

    /// Why the job is cancelled, where it is.
    pub(super) fn wish(&self) -> Option<String> {
        self.0.cancelled.is_up().then(|| self.0.why.get().cloned().unwrap_or_default())
    }

    /// Waits until the job is somebody else's.
    pub(super) async fn lost(&self) {
        self.0.lost.up().await;
    }

    /// The job is somebody else's by now.
    pub(super) fn lose(&self) {
        self.0.lost.raise();
        self.0.doubted.raise();
    }

    pub(super) fn is_lost(&self) -> bool {
        self.0.lost.is_up()
    }

    /// Its handler has ended.
    pub(super) fn end(&self) {
        self.0.over.store(true, Ordering::SeqCst);
    }

    /// Set once it matters that no other attempt runs beside it.
    pub(super) fn alone(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.alone)
    }

    pub(super) fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.0.gauge)
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.0.pace
    }
}

impl Held {
    /// Takes note of a job of a task that was claimed, unless this very claim of it is held already: then it is won again by who
    /// runs it. Who holds an earlier claim is told that it is no longer his.
    pub(super) fn add(&self, job: &Claimed, task: &'static str, now: Timestamp) -> Option<Grip> {
        let gauge = Arc::default();
        let pace = Pace::new(job.id, task, job.attempt, now, &gauge, &self.manners);
        let (why, suspect, ticked) = (OnceLock::new(), job.is_suspect(), job.tick.is_some());
        let (cancelled, doubted, lost, alone) = (Flag::default(), Flag::default(), Flag::default(), Arc::default());
        let over = AtomicBool::new(false);
        let grip = Grip(Arc::new(Inner { why, cancelled, doubted, lost, over, alone, gauge, suspect, ticked, pace }));
        let earlier: Vec<Grip> = self.with(|held| {
            let claims = held.range((job.id, 0)..=(job.id, u32::MAX));
            let earlier = claims.filter(|(claim, _)| claim.1 != job.epoch).map(|(_, grip)| grip.clone()).collect();
            match held.entry((job.id, job.epoch)) {
                Entry::Occupied(_) => None,
                Entry::Vacant(free) => {
                    free.insert(grip.clone());
                    Some(earlier)
                }
            }
        })?;
        earlier.iter().for_each(Grip::lose);
        self.suspects.fetch_add(suspect.into(), Ordering::SeqCst);
        Some(grip)
    }

    /// The task of a claim, and which attempt it is.
    pub(super) fn of(&self, claim: (JobId, u32)) -> Option<(&'static str, u16)> {
        self.with(|held| held.get(&claim).map(|grip| grip.pace().whose()))
    }

    /// The claims (job, epoch) are this worker's no longer.
    pub(super) fn remove(&self, claims: impl IntoIterator<Item = (JobId, u32)>) -> Gone {
        let gone: Vec<_> = self.with(|held| claims.into_iter().filter_map(|claim| held.remove(&claim)).collect());
        let suspects = gone.iter().filter(|grip| grip.0.suspect).count();
        self.suspects.fetch_sub(suspects, Ordering::SeqCst);
        Gone { suspect: suspects > 0, ticked: gone.iter().any(|grip| grip.0.ticked) }
    }

    /// The claims (job, epoch) are no longer this worker's, and their attempts, if they still run, are told so.
    pub(super) fn lose(&self, claims: &[(JobId, u32)]) {
        let lost: Vec<Grip> = self.with(|held| claims.iter().filter_map(|claim| held.get(claim).cloned()).collect());
        lost.iter().for_each(Grip::lose);
    }

    /// Cancels a job if this claim of it still runs.
    pub(super) fn cancel(&self, Cancelled { id, epoch, why }: &Cancelled) {
        let grip = self.with(|held| held.get(&(*id, *epoch)).cloned());
        if let Some(grip) = grip {
            let _ = grip.0.why.set(why.clone());
            grip.0.cancelled.raise();
        }
    }

    /// The lease is in doubt; how many that run were told that hadn't been. Also those of tasks that are counted by now.
    pub(super) fn doubt(&self, counts: impl Fn(&str) -> bool) -> usize {
        let runs = |grip: &&Grip| !grip.0.over.load(Ordering::SeqCst) && !grip.0.doubted.is_up();
        let run: Vec<Grip> = self.with(|held| held.values().filter(runs).cloned().collect());
        let told = run.iter().filter(|grip| grip.0.alone.load(Ordering::SeqCst) || counts(grip.pace().whose().0));
        told.map(|grip| grip.0.doubted.raise()).count()
    }

    /// How far those have come of which something else is written.
    pub(super) fn advances(&self) -> Vec<(Advance, Grip)> {
        let advance = |(&(id, epoch), grip): (&(JobId, u32), &Grip)| {
            grip.0.gauge.unwritten().map(|steps| (Advance { id, epoch, steps }, grip.clone()))
        };
        self.with(|held| held.iter().filter_map(advance).collect())
    }

    /// Says how long ago the attempts among them failed.
    pub(super) fn date(&self, ended: &mut [Ended]) {
        for failed in ended.iter_mut().filter(|ended| ended.transition.failure().is_some()) {
            let ago = self.with(|held| held.get(&(failed.id, failed.epoch)).map(|grip| grip.pace().over()));
            failed.ago = ago.unwrap_or_default();
        }
    }

    /// Tells of those that take long.
    pub(super) fn look(&self, now: Timestamp) {
        for grip in self.with(|held| held.values().cloned().collect::<Vec<_>>()) {
            grip.pace().look(now);
        }
    }

    /// The task whose handler holds up a thread of the runtime, or did a moment ago.
    pub(super) fn held_up(&self) -> Option<&'static str> {
        let now = self.with(|held| held.values().find(|grip| grip.pace().holds_up()).map(|grip| grip.pace().whose().0));
        now.or_else(|| self.manners.held_up())
    }

    /// Whether one of them may be about to kill this worker.
    pub(super) fn has_suspect(&self) -> bool {
        self.suspects.load(Ordering::SeqCst) > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.with(|held| held.is_empty())
    }

    pub(super) fn claims(&self) -> Vec<(JobId, u32)> {
        self.with(|held| held.keys().copied().collect())
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<(JobId, u32), Grip>) -> T) -> T {
        look(&mut self.claims.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
