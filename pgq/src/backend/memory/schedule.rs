//! Schedules, and the jobs that their ticks make.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use pgq_core::schedule::Standing;
use pgq_core::{JobId, Lease, NewJob, Timestamp};

use super::store::Store;
use crate::backend::{Agenda, Declared, Firing, Kept, Scheduled, Ticked};

/// A schedule's row.
pub(super) struct Entry {
    scheduled: Scheduled,
    created: bool,
    paused: Option<String>,
    generation: i64,
    last: Timestamp,
    waiting: Option<Timestamp>,
    fired: Option<Timestamp>,
    job: Option<JobId>,
}

impl Entry {
    fn new(scheduled: Scheduled, created: bool, now: Timestamp) -> Self {
        Self { scheduled, created, paused: None, generation: 0, last: now, waiting: None, fired: None, job: None }
    }

    fn renamed(self, name: String) -> Self {
        Self { generation: self.generation + 1, scheduled: Scheduled { name, ..self.scheduled }, ..self }
    }

    fn replace(&mut self, scheduled: Scheduled, now: Timestamp) {
        if self.scheduled == scheduled {
            return;
        }
        if (&self.scheduled.cadence, &self.scheduled.zone) != (&scheduled.cadence, &scheduled.zone) {
            // The new expression's ticks before it was there weren't missed.
            (self.last, self.waiting) = (self.last.max(now), None);
        }
        self.generation += 1;
        self.scheduled = scheduled;
    }

    fn hold(&mut self, paused: Option<String>, now: Timestamp) {
        if paused.is_none() {
            (self.last, self.waiting) = (self.last.max(now), None);
        }
        self.generation += 1;
        self.paused = paused;
    }
}

impl Store {
    pub(super) fn declare(&mut self, lease: Lease, declared: Declared) -> i64 {
        let declared = declared.sorted();
        let number = self.number(declared.clone());
        let Some(worker) = self.workers.get_mut(&lease) else { return number };
        worker.edition = Some(number);
        self.declare_limits(lease, number, &declared);
        self.rename(number, &declared.schedules);
        for scheduled in declared.schedules {
            let declared = self.schedules.get(&scheduled.name).is_none_or(|entry| !entry.created);
            if declared && self.edition_of(&scheduled.name) == Some(number) && !self.is_renamed(&scheduled.name, number)
            {
                self.put(scheduled, false);
            }
        }
        number
    }

    /// Lets schedules follow the names of their tasks, forth and, after a rollback, back.
    fn rename(&mut self, number: i64, schedules: &[Scheduled]) {
        for Scheduled { name: new, .. } in schedules {
            let others = || {
                let declared = self.schedules.values().filter(|entry| !entry.created);
                declared.filter(|entry| schedules.iter().all(|ours| ours.name != entry.scheduled.name))
            };
            let is_ours =
                |old: &str| self.is_alias(old, new) && self.edition_of(old).is_none_or(|other| other < number);
            let is_left = |later: &str| self.is_alias(new, later) && self.edition_of(later).is_none();
            let stood = |entry: &Entry| (Reverse(entry.last), entry.scheduled.name.clone());
            let mut ours: Vec<_> = others().filter(|entry| is_ours(&entry.scheduled.name)).map(stood).collect();
            let left = others().filter(|entry| is_left(&entry.scheduled.name)).map(stood).min();
            ours.sort();
            // The one that has gone furthest takes the name, and the others go.
            let heir = left.filter(|_| ours.is_empty() && !self.schedules.contains_key(new));
            for (_, old) in ours.into_iter().chain(heir) {
                let Some(entry) = self.schedules.remove(&old) else { continue };
                self.schedules.entry(new.clone()).or_insert_with(|| entry.renamed(new.clone()));
            }
        }
    }

    /// Whether a task had this name before.
    pub(super) fn is_alias(&self, old: &str, task: &str) -> bool {
        old != task && self.declarations.get(task).is_some_and(|task| task.is_named(old))
    }

    /// Whether a live worker with a higher number knows it by a later name.
    fn is_renamed(&self, name: &str, number: i64) -> bool {
        let live = self.workers.values().filter_map(|worker| worker.edition).filter(|other| *other > number);
        live.flat_map(|other| &self.editions[&other].schedules).any(|later| self.is_alias(name, &later.name))
    }

    /// The number of a set, a new one where it is first seen.
    fn number(&mut self, declared: Declared) -> i64 {
        let next = i64::try_from(self.editions.len()).unwrap_or(i64::MAX);
        let known = self.editions.iter().find(|(_, edition)| **edition == declared).map(|(number, _)| *number);
        known.unwrap_or_else(|| {
            self.editions.insert(next, declared);
            next
        })
    }

    /// The highest number among the sets of live workers that have a schedule of this name.
    fn edition_of(&self, name: &str) -> Option<i64> {
        let live = self.workers.values().filter_map(|worker| worker.edition);
        live.filter(|number| self.editions[number].schedules.iter().any(|scheduled| scheduled.name == name)).max()
    }

    fn put(&mut self, scheduled: Scheduled, created: bool) {
        let now = self.now;
        match self.schedules.get_mut(&scheduled.name) {
            Some(entry) => entry.replace(scheduled, now),
            None => drop(self.schedules.insert(scheduled.name.clone(), Entry::new(scheduled, created, now))),
        }
    }

    pub(super) fn create_schedule(&mut self, scheduled: Scheduled) -> bool {
        let free = self.schedules.get(&scheduled.name).is_none_or(|entry| entry.created);
        if free {
            self.put(scheduled, true);
        }
        free
    }

    pub(super) fn hold_schedule(&mut self, name: &str, paused: Option<String>) -> bool {
        let now = self.now;
        let entry = self.schedules.get_mut(name).filter(|entry| entry.paused != paused);
        entry.map(|entry| entry.hold(paused, now)).is_some()
    }

    pub(super) fn trigger_schedule(&mut self, name: &str, ticked: Ticked) -> Option<JobId> {
        let entry = self.schedules.get(name)?;
        let is_busy = entry.job.is_some_and(|id| self.jobs.contains_key(&id));
        let job = NewJob { headers: ticked.headers, ..entry.scheduled.job(ticked.tick) };
        let id = self.enqueue(job).id;
        if let Some(entry) = self.schedules.get_mut(name).filter(|_| !is_busy) {
            entry.job = Some(id);
        }
        Some(id)
    }

    pub(super) fn prune_schedules(&mut self, grace: Duration) -> Vec<String> {
        let since = self.now.saturating_sub(grace);
        let past = |name: &str| {
            let past = self.past_editions.iter().filter(|(_, until)| **until > since);
            past.flat_map(|(number, _)| &self.editions[number].schedules).any(|scheduled| scheduled.name == name)
        };
        let orphaned = |entry: &&Entry| {
            !entry.created && self.edition_of(&entry.scheduled.name).is_none() && !past(&entry.scheduled.name)
        };
        let names: Vec<_> =
            self.schedules.values().filter(orphaned).map(|entry| entry.scheduled.name.clone()).collect();
        self.schedules.retain(|name, _| !names.contains(name));
        names
    }

    /// With or without arguments.
    pub(super) fn agenda(&self, whole: bool) -> Agenda {
        let schedules = self.schedules.values().map(|entry| self.kept(entry, whole));
        Agenda { now: self.now, schedules: schedules.collect(), unread: Vec::new(), mark: self.mark() }
    }

    /// What there is and who declares it, as a number.
    pub(super) fn mark(&self) -> i64 {
        let mut hasher = DefaultHasher::new();
        let live: BTreeSet<i64> = self.workers.values().filter_map(|worker| worker.edition).collect();
        live.hash(&mut hasher);
        for Entry { scheduled, created, paused, generation, .. } in self.schedules.values() {
            let Scheduled { name, cadence, zone, .. } = scheduled;
            (name, cadence, zone, created, paused, generation).hash(&mut hasher);
        }
        hasher.finish().cast_signed()
    }

    /// Whether a tick waits for nothing any more.
    pub(super) fn is_overdue(&self) -> bool {
        let is_busy = |entry: &Entry| entry.job.is_some_and(|id| self.jobs.contains_key(&id));
        self.schedules.values().any(|entry| entry.waiting.is_some() && entry.paused.is_none() && !is_busy(entry))
    }

    fn kept(&self, entry: &Entry, whole: bool) -> Kept {
        let Entry { scheduled, created, paused, generation, last, waiting, fired, job } = entry;
        let busy = job.is_some_and(|id| self.jobs.contains_key(&id));
        let standing = Standing { last: *last, waiting: *waiting, busy };
        let (size, mut scheduled) = (scheduled.payload.len(), scheduled.clone());
        if !whole {
            scheduled.payload.clear();
        }
        Kept {
            size,
            generation: *generation,
            standing,
            fired: *fired,
            job: *job,
            created: *created,
            paused: paused.clone(),
            edition: self.edition_of(&scheduled.name),
            earlier: self.earlier(&scheduled.name, *created),
            scheduled,
        }
    }

    /// The earlier names of an orphan's task.
    fn earlier(&self, name: &str, created: bool) -> Vec<String> {
        let orphaned = !created && self.edition_of(name).is_none();
        let task = self.declarations.get(name).filter(|_| orphaned);
        task.map(|task| task.aliases().map(str::to_owned).collect()).unwrap_or_default()
    }

    pub(super) fn fire(&mut self, firing: Firing) -> bool {
        let fired = firing.fired();
        let Some(entry) = self.schedules.get_mut(&firing.name) else { return false };
        let seen = (firing.generation, firing.seen.last, firing.seen.waiting);
        if (entry.generation, entry.last, entry.waiting) != seen {
            return false;
        }
        (entry.last, entry.waiting) = (firing.last, firing.waiting);
        entry.fired = fired.or(entry.fired);
        let scheduled = entry.scheduled.clone();
        let jobs =
            firing.ticks.into_iter().map(|ticked| NewJob { headers: ticked.headers, ..scheduled.job(ticked.tick) });
        let job = jobs.map(|job| self.enqueue(job).id).last();
        if let Some(entry) = self.schedules.get_mut(&firing.name) {
            entry.job = job.or(entry.job);
        }
        true
    }
}
