//! The verbs that any worker may do for all.

use std::mem;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::{JobId, Lease, State, Timestamp};

use super::row::Place;
use super::session::Session;
use super::store::Store;
use crate::backend::vigil::{Beat, Look};
use crate::backend::{
    Agenda, Answer, Cancelled, Declared, Discarded, Firing, Maintain, Promoted, Pruned, Rescued, Want,
};
use crate::platform::Clock;

impl Maintain for Session {
    fn promote_beside(&self, step: u32, wants: Arc<[Want]>) -> Answer<'_, Promoted> {
        self.memory.answer(move |store| store.promote(step, &wants))
    }

    fn rescue(&self, step: u32) -> Answer<'_, Rescued> {
        self.memory.answer(move |store| {
            self.vigil.look(store.look_at_others(self.lease, &self.memory.clock), &self.memory.clock);
            let gone = store.declare_gone(&self.vigil.over(None));
            Rescued { gone, next: self.vigil.next(None), ..store.free(step) }
        })
    }

    /// Rescue goes by the workers that there are, so nothing is ever left over.
    fn sweep(&self) -> Answer<'_, u32> {
        self.memory.answer(|_| 0)
    }

    /// Nobody leaves anything behind, and to look costs nothing.
    fn tidy(&self) -> Answer<'_, bool> {
        self.memory.answer(|_| true)
    }

    fn expire(&self, step: u32) -> Answer<'_, Vec<Discarded>> {
        self.memory.answer(move |store| store.expire(step))
    }

    fn prune(&self, step: u32) -> Answer<'_, Pruned> {
        self.memory.answer(move |store| store.prune(step))
    }

    fn declare(&self, declared: Declared) -> Answer<'_, i64> {
        self.memory.answer(move |store| store.declare(self.lease, declared))
    }

    fn prune_schedules(&self, grace: Duration) -> Answer<'_, Vec<String>> {
        self.memory.answer(move |store| store.prune_schedules(grace))
    }

    fn agenda(&self) -> Answer<'_, Agenda> {
        self.memory.answer(|store| store.agenda(false))
    }

    fn fire(&self, firings: Vec<Firing>) -> Answer<'_, Vec<bool>> {
        self.memory.answer(move |store| firings.into_iter().map(|firing| store.fire(firing)).collect())
    }
}

impl Store {
    fn promote(&mut self, step: u32, wants: &[Want]) -> Promoted {
        let mut moved = 0;
        while moved < step
            && let Some((_, id)) = self.deferred.first().copied().filter(|first| first.0 <= self.now)
        {
            self.change(id, |row| row.place = Place::Ready);
            moved += 1;
        }
        let opened = self.open_due();
        moved += opened.unwrap_or(0);
        let opens = self.next_open().map(|opens| opens.since(self.now));
        let heard = self.wake_others(wants);
        Promoted { moved, heard, next: self.next_due(), opened: opened.is_some(), opens }
    }

    fn next_due(&self) -> Option<Duration> {
        let later = (Bound::Excluded((self.now, JobId(i64::MAX))), Bound::Unbounded);
        self.deferred.range(later).next().map(|first| first.0.since(self.now))
    }

    pub(super) fn look_at_others(&self, asker: Lease, clock: &Clock) -> Look {
        let others = self.workers.iter().filter(|(lease, _)| **lease != asker);
        let beats = others.map(|(lease, worker)| Beat { lease: *lease, at: worker.beat, span: worker.span }).collect();
        Look { asked: clock.mark(), now: self.now, server: Timestamp::EPOCH, beats }
    }

    /// From here on they claim nothing and their beats are refused; what they hold is freed in steps.
    fn declare_gone(&mut self, over: &[(Lease, Timestamp)]) -> u32 {
        let (mut gone, mut untold) = (0, Vec::new());
        let over: Vec<_> = over.iter().filter_map(|(lease, _)| self.workers.remove(lease)).collect();
        for mut worker in over {
            gone += 1;
            untold.append(&mut worker.cancelled);
            self.past_editions.extend(worker.edition.map(|number| (number, self.now)));
        }
        // A wish to cancel a running job outlives the worker that was told and died.
        self.untold.extend(untold);
        self.reclaim_shares();
        gone
    }

    /// Frees what is held by leases without a worker.
    fn free(&mut self, step: u32) -> Rescued {
        let orphaned = self.held.iter().filter(|(lease, _)| !self.workers.contains_key(lease));
        let held = orphaned.flat_map(|(lease, ids)| ids.iter().map(|id| (*lease, *id)));
        let held: Vec<(Lease, JobId)> = held.take(step as usize).collect();
        let mut rescued = Rescued::default();
        for (lease, id) in held {
            rescued.freed += 1;
            rescued.lost.extend(self.jobs.get(&id).map(|row| row.lost_by(lease)));
            rescued.discarded.extend(self.free_one(id));
        }
        for Cancelled { id, why, .. } in mem::take(&mut self.untold) {
            self.cancel(id, &why);
        }
        rescued
    }

    fn free_one(&mut self, id: JobId) -> Option<Discarded> {
        let mut row = self.remove(id)?;
        let discarded = row.rescue(self.now);
        if discarded.is_some() {
            self.yield_key(&row);
            self.archive_as_declared(row, State::Discarded);
        } else {
            self.insert(row);
        }
        discarded
    }

    fn expire(&mut self, step: u32) -> Vec<Discarded> {
        let late = self.jobs.values().filter(|row| row.is_late(self.now)).map(|row| row.id);
        let late: Vec<JobId> = late.take(step as usize).collect();
        late.into_iter().filter_map(|id| self.expire_one(id)).collect()
    }

    fn expire_one(&mut self, id: JobId) -> Option<Discarded> {
        let mut row = self.remove(id)?;
        let discarded = row.expire(self.now);
        self.yield_key(&row);
        self.archive_as_declared(row, State::Discarded);
        Some(discarded)
    }

    fn prune(&mut self, step: u32) -> Pruned {
        self.mend_gates();
        let mut rows = 0;
        while rows < u64::from(step)
            && let Some(first) = self.expiries.first().copied().filter(|first| first.0 <= self.now)
        {
            self.expiries.remove(&first);
            self.history.remove(&first.1);
            rows += 1;
        }
        rows += self.prune_gates(step);
        Pruned { rows, more: rows >= u64::from(step) }
    }
}
