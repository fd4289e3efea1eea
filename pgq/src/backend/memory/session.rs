//! A worker's session: its verbs, its sign of life and its ear.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::{JobId, Lease, State};
use tokio::sync::Notify;

use super::Memory;
use super::row::{Lane, Place, Row};
use super::store::Store;
use crate::backend::vigil::Vigil;
use crate::backend::{
    Advance, Answer, Ask, Batch, Claim, Ended, LookFor, NextToken, Notice, Outlook, PoolName, PoolView, Portion, Pulse,
    Reconciled, Renewal, Verdict, Want, Watched, Work,
};

/// A worker's end. It is `Memory` with a lease: what it may do stands in the store.
pub(super) struct Session {
    pub(super) memory: Memory,
    pub(super) lease: Lease,
    pub(super) vigil: Arc<Vigil>,
    pub(super) bell: Arc<Notify>,
}

impl Work for Session {
    fn lease(&self) -> Lease {
        self.lease
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Batch> {
        self.memory.answer(move |store| store.claim(self.lease, &claim))
    }

    fn pools(&self) -> Answer<'_, Vec<PoolView>> {
        self.memory.answer(|store| store.pools(self.lease))
    }

    fn share(&self, asks: Vec<(PoolName, Ask)>) -> Answer<'_, Vec<(PoolName, Portion)>> {
        self.memory.answer(move |store| store.share(self.lease, asks))
    }

    fn foretell(&self, tokens: Vec<(PoolName, NextToken)>) -> Answer<'_, ()> {
        self.memory.answer(move |store| store.foretell(self.lease, tokens))
    }

    fn doze(&self, asleep: Option<Duration>) -> Answer<'_, ()> {
        self.memory.answer(move |store| store.doze(self.lease, asleep))
    }

    fn advance(&self, advances: Vec<Advance>) -> Answer<'_, Vec<Verdict>> {
        self.memory.answer(move |store| advances.iter().map(|advance| store.advance(self.lease, advance)).collect())
    }

    fn finish<'a>(&'a self, ended: &'a [Ended]) -> Answer<'a, Vec<Verdict>> {
        self.memory.answer(move |store| ended.iter().map(|ended| store.finish(self.lease, ended)).collect())
    }

    fn release_all_but(&self, kept: Vec<(JobId, u32)>) -> Answer<'_, Reconciled> {
        self.memory.answer(move |store| store.release_all_but(self.lease, &kept))
    }

    fn attend(&self) -> Answer<'_, Box<dyn Pulse>> {
        Box::pin(async move {
            let pulse = Attention {
                memory: self.memory.clone(),
                lease: self.lease,
                vigil: Arc::clone(&self.vigil),
                bell: Arc::clone(&self.bell),
            };
            let pulse: Box<dyn Pulse> = Box::new(pulse);
            Ok(pulse)
        })
    }

    fn unfinished(&self, wants: Arc<[Want]>) -> Answer<'_, bool> {
        self.memory.answer(move |store| {
            let lanes: HashSet<Lane> = wants.iter().map(Lane::from).collect();
            let later = |row: &Row| row.place == Place::Deferred(State::Scheduled) && row.run_at > store.now;
            store.jobs.values().any(|row| lanes.contains(&row.lane) && !later(row))
        })
    }

    fn reconnect(&self) {}

    fn deregister(&self, _: bool) -> Answer<'_, ()> {
        self.memory.answer(|store| store.deregister(self.lease))
    }
}

impl Store {
    fn deregister(&mut self, lease: Lease) {
        let worker = self.workers.remove(&lease);
        self.past_editions.extend(worker.and_then(|worker| worker.edition).map(|number| (number, self.now)));
        self.release_all_but(lease, &[]);
        self.reclaim_shares();
    }

    fn is_claim(&self, id: JobId, claim: (JobId, u32)) -> bool {
        claim.0 == id && self.jobs.get(&id).is_some_and(|row| row.epoch == claim.1)
    }

    fn release_all_but(&mut self, lease: Lease, kept: &[(JobId, u32)]) -> Reconciled {
        let held = self.held.get(&lease).into_iter().flatten();
        let ids: Vec<_> = held.copied().filter(|id| !kept.iter().any(|kept| self.is_claim(*id, *kept))).collect();
        let released = ids.into_iter().filter_map(|id| self.change(id, Row::release)).map(|()| 1).sum();
        let mut forgotten = kept.to_vec();
        forgotten.retain(|kept| !self.held.get(&lease).into_iter().flatten().any(|id| self.is_claim(*id, *kept)));
        Reconciled { released, forgotten }
    }
}

struct Attention {
    memory: Memory,
    lease: Lease,
    vigil: Arc<Vigil>,
    bell: Arc<Notify>,
}

impl Pulse for Attention {
    fn look(&mut self, look_for: LookFor) -> Answer<'_, (Renewal, Outlook)> {
        let Self { memory, lease, vigil, .. } = &*self;
        memory.answer(move |store| {
            vigil.look(store.look_at_others(*lease, &memory.clock), &memory.clock);
            (store.renew(*lease), Outlook { lapse: vigil.lapse(), ..store.look(&look_for) })
        })
    }

    fn watch(&mut self) -> Answer<'_, Watched> {
        Box::pin(async { Ok(Watched::default()) })
    }

    /// `Notify` keeps one permit while nobody waits, and hands on that of a wait which is dropped.
    fn notice(&mut self) -> Answer<'_, Notice> {
        Box::pin(async {
            self.bell.notified().await;
            Ok(self.memory.with(|store| store.hear(self.lease)))
        })
    }
}
