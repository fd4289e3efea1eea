//! What a job waits for.

use std::collections::BTreeSet;

use pgq_core::{JobId, Lease};

use super::row::{Place, Row};
use super::store::Store;
use crate::backend::{Holders, LimitWait, NAMED, RunningJob, WaitsFor, Whereabouts};

impl Store {
    pub(super) fn whereabouts(&self, id: JobId) -> Option<Whereabouts> {
        let Some(row) = self.jobs.get(&id) else {
            let kept = self.history.get(&id)?;
            return Some(self.stands(&kept.row, WaitsFor::Finished(kept.state)));
        };
        let waits_for = match row.place {
            Place::Held(lease) => WaitsFor::Running(self.worker_name(lease)),
            Place::Deferred(_) if row.run_at > self.now => WaitsFor::Due(row.run_at),
            Place::Parked(gate) => match row.limit_keys.get(usize::from(gate)) {
                Some(gate) => WaitsFor::Limit(self.gate_wait(gate)),
                None => WaitsFor::Worker,
            },
            // Nobody has come for it yet, and he won't get it through.
            Place::Deferred(_) | Place::Ready => match row.limit_keys.iter().find(|gate| self.is_closed(gate)) {
                Some(gate) => WaitsFor::Limit(self.gate_wait(gate)),
                None => WaitsFor::Worker,
            },
        };
        Some(self.stands(row, waits_for))
    }

    fn stands(&self, row: &Row, waits_for: WaitsFor) -> Whereabouts {
        let (task, queue) = row.lane.names();
        let (task, queue) = (task.to_owned(), queue.to_owned());
        let served = self.workers.values().any(|worker| worker.serves(&row.lane, self.now));
        Whereabouts { task, queue, waits_for, served, now: self.now }
    }

    pub(super) fn holders(&self, limit: &str, tasks: &[String]) -> Holders {
        let is_one = |row: &Row| {
            let (name, _) = row.lane.names();
            tasks.iter().any(|task| task == name || self.is_alias(name, task))
        };
        let held = self.held.values().flatten().copied();
        let mut ids: Vec<_> = held.filter(|id| self.jobs.get(id).is_some_and(is_one)).collect();
        ids.sort();
        let running = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let awaited = self.limits.get(limit).into_iter().flat_map(|entry| entry.awaited(&self.workers, self.now));
        let awaited: BTreeSet<_> = awaited.filter_map(|lease| self.worker_name(lease)).collect();
        Holders { running, jobs: self.named(ids), awaited: awaited.into_iter().collect() }
    }

    fn worker_name(&self, lease: Lease) -> Option<String> {
        self.workers.get(&lease).map(|worker| worker.name.to_string())
    }

    fn named(&self, ids: impl IntoIterator<Item = JobId>) -> Vec<RunningJob> {
        let place = |id: JobId| match self.jobs.get(&id)?.place {
            Place::Held(lease) => self.worker_name(lease),
            _ => None,
        };
        ids.into_iter().take(NAMED as usize).map(|id| RunningJob { id, worker: place(id) }).collect()
    }

    fn gate_wait(&self, name: &str) -> LimitWait {
        let (bounds, gate) = (self.gate_bounds(name), self.gate(name));
        LimitWait::at_gate(name, bounds, gate, self.now, self.named(self.gates.passed(name)))
    }
}
