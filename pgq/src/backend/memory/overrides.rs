//! Limits as operators see and set them.

use pgq_core::limit::share::Share;

use super::limit::Entry;
use super::store::Store;
use crate::backend::{Bounds, LimitInfo, LimitName, LimitShare, Measure, parts_of_gate};

impl Store {
    pub(super) fn limit_infos(&self) -> Vec<LimitInfo> {
        self.limits.iter().map(|(name, entry)| self.limit_info(name, entry)).collect()
    }

    fn limit_info(&self, name: &str, entry: &Entry) -> LimitInfo {
        let declared = entry.declared.map(|(_, bounds)| bounds);
        let mut info = LimitInfo::new(name.to_owned(), entry.task.clone(), declared, entry.own);
        info.sharers.clone_from(&entry.sharers);
        for (measure, share) in entry.shares() {
            let Some(worker) = self.workers.get(&share.lease) else { continue };
            let waits_for = share.stake.wish.saturating_sub(share.stake.units);
            let (worker, units) = (worker.name.to_string(), share.stake.units);
            let next = share.next.filter(|next| *next > self.now);
            info.add_share(LimitShare { worker, measure, units, waits_for, next });
        }
        if entry.keyed {
            (info.busy, info.blocking) = self.gates.counts(name);
            let own = self.gates.own_of(name);
            info.values = own.map(|(gate, bounds)| (parts_of_gate(gate).1.to_owned(), *bounds)).collect();
        }
        info
    }

    pub(super) fn set_limit(&mut self, name: &LimitName, bounds: Option<Bounds>) -> bool {
        let done = match (&name.gate, bounds) {
            (Some(gate), _) => self.set_gate(&name.limit, gate, bounds),
            (None, Some(bounds)) => self.override_limit(name, bounds),
            (None, None) => self.limits.get_mut(&name.limit).is_some_and(|entry| entry.own.take().is_some()),
        };
        self.drop_unless_needed(&name.limit);
        self.redivide_all();
        self.open_all(&name.limit);
        self.ring_all();
        done
    }

    fn override_limit(&mut self, name: &LimitName, bounds: Bounds) -> bool {
        if !self.limits.contains_key(&name.limit) {
            let Some(task) = &name.task else { return false };
            self.limits.insert(name.limit.clone(), Entry::new(Some(task.clone()), false));
        }
        self.limits.get_mut(&name.limit).map(|entry| entry.own = Some(bounds)).is_some()
    }

    fn set_gate(&mut self, limit: &str, gate: &str, bounds: Option<Bounds>) -> bool {
        let exists = self.limits.get(limit).is_some_and(|entry| entry.keyed);
        match bounds {
            Some(bounds) if exists => {
                self.gates.since.entry(gate.to_owned()).or_insert(self.now);
                self.bound_gate(gate, Some(bounds));
                true
            }
            Some(_) => false,
            None => self.gates.own.contains_key(gate) && self.bound_gate(gate, None).is_some(),
        }
    }

    /// What nobody declares and nobody has set is gone.
    pub(super) fn drop_unless_needed(&mut self, limit: &str) {
        let needed = |entry: &Entry| {
            entry.declared.is_some() || entry.own.is_some() || self.gates.own_of(limit).next().is_some()
        };
        if self.limits.get(limit).is_some_and(|entry| !needed(entry)) {
            self.limits.remove(limit);
            self.gates.outlive(limit);
        }
    }
}

impl Entry {
    fn shares(&self) -> impl Iterator<Item = (Measure, &Share)> {
        self.shares.iter().flat_map(|(measure, shares)| shares.iter().map(|share| (*measure, share)))
    }
}
