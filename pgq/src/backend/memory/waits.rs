//! What a job waits for.

use pgq_core::JobId;

use super::row::{Place, Row};
use super::store::Store;
use crate::backend::{LimitWait, NAMED, WaitsFor, Whereabouts};

impl Store {
    pub(super) fn whereabouts(&self, id: JobId) -> Option<Whereabouts> {
        let Some(row) = self.jobs.get(&id) else {
            let kept = self.history.get(&id)?;
            return Some(self.stands(&kept.row, WaitsFor::Finished(kept.state)));
        };
        let waits_for = match row.place {
            Place::Held(lease) => WaitsFor::Running(self.workers.get(&lease).map(|worker| worker.name.to_string())),
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

    pub(super) fn running(&self, tasks: &[String]) -> (u32, Vec<JobId>) {
        let is_one = |row: &Row| {
            let (name, _) = row.lane.names();
            tasks.iter().any(|task| task == name || self.is_alias(name, task))
        };
        let held = self.held.values().flatten().copied();
        let mut ids: Vec<_> = held.filter(|id| self.jobs.get(id).is_some_and(is_one)).collect();
        ids.sort();
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        ids.truncate(NAMED as usize);
        (count, ids)
    }

    fn gate_wait(&self, name: &str) -> LimitWait {
        let (bounds, gate) = (self.gate_bounds(name), self.gate(name));
        let jobs = self.gates.passed(name).into_iter().take(NAMED as usize).collect();
        LimitWait::at_gate(name, bounds, gate, self.now, jobs)
    }
}
