//! Schedules, and the jobs that their ticks make.

use pgq_core::schedule::Standing;
use pgq_core::{JobId, Timestamp};

use super::store::Store;
use crate::backend::{Agenda, Firing, Kept, Scheduled};

/// A schedule's row.
pub(super) struct Entry {
    scheduled: Scheduled,
    generation: i64,
    last: Timestamp,
    waiting: Option<Timestamp>,
    fired: Option<Timestamp>,
    job: Option<JobId>,
}

impl Entry {
    fn new(scheduled: Scheduled, now: Timestamp) -> Self {
        Self { scheduled, generation: 0, last: now, waiting: None, fired: None, job: None }
    }

    fn replace(&mut self, scheduled: Scheduled, now: Timestamp) {
        if self.scheduled == scheduled {
            return;
        }
        if (&self.scheduled.cadence, &self.scheduled.zone) != (&scheduled.cadence, &scheduled.zone) {
            // The new expression's ticks before it was there weren't missed.
            (self.last, self.waiting) = (now, None);
        }
        self.generation += 1;
        self.scheduled = scheduled;
    }
}

impl Store {
    pub(super) fn declare(&mut self, schedules: Vec<Scheduled>) {
        let now = self.now;
        for scheduled in schedules {
            match self.schedules.get_mut(&scheduled.name) {
                Some(entry) => entry.replace(scheduled, now),
                None => drop(self.schedules.insert(scheduled.name.clone(), Entry::new(scheduled, now))),
            }
        }
    }

    pub(super) fn agenda(&self) -> Agenda {
        Agenda { now: self.now, schedules: self.schedules.values().map(|entry| self.kept(entry)).collect() }
    }

    fn kept(&self, entry: &Entry) -> Kept {
        let Entry { scheduled, generation, last, waiting, fired, job } = entry;
        let busy = job.is_some_and(|id| self.jobs.contains_key(&id));
        let standing = Standing { last: *last, waiting: *waiting, busy };
        Kept { scheduled: scheduled.clone(), generation: *generation, standing, fired: *fired }
    }

    pub(super) fn fire(&mut self, firing: Firing) -> bool {
        let stands = self.schedules.get(&firing.name).is_some_and(|entry| {
            let seen = (firing.generation, firing.seen.last, firing.seen.waiting);
            (entry.generation, entry.last, entry.waiting) == seen
        });
        if !stands {
            return false;
        }
        let fired = firing.fired();
        let job = firing.jobs.into_iter().map(|job| self.enqueue(job).id).last();
        if let Some(entry) = self.schedules.get_mut(&firing.name) {
            (entry.last, entry.waiting) = (firing.last, firing.waiting);
            (entry.fired, entry.job) = (fired.or(entry.fired), job.or(entry.job));
        }
        true
    }
}
