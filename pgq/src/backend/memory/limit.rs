//! Limits: what is declared, and how much of it each worker has.

use std::collections::BTreeMap;

use pgq_core::limit::MICROS;
use pgq_core::limit::pool::{Balanced, Pool, Share};
use pgq_core::{Bounds, Lease, Timestamp};

use super::store::Store;
use crate::backend::{Ask, Declared, Measure, PoolName, PoolView, Portion};

/// A limit's row.
pub(super) struct Entry {
    pub(super) task: Option<String>,
    pub(super) keyed: bool,
    /// By the set of declarations of this number.
    pub(super) declared: Option<(i64, Bounds)>,
    /// What an operator has set in place of that.
    pub(super) own: Option<Bounds>,
    /// Millionths of a token that were in the free units of its rate at an instant.
    tokens: (u64, Timestamp),
    pub(super) shares: BTreeMap<Measure, Vec<Share>>,
}

impl Entry {
    pub(super) fn new(task: Option<String>, keyed: bool, bounds: Bounds, now: Timestamp) -> Self {
        let full = bounds.rate.map_or(0, |rate| u64::from(rate.burst()) * MICROS);
        Self { task, keyed, declared: None, own: None, tokens: (full, now), shares: BTreeMap::new() }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.own.or(self.declared.map(|(_, bounds)| bounds)).unwrap_or_default()
    }

    fn pool(&self, measure: Measure) -> Pool {
        let (bounds, (micros, at)) = (self.bounds(), self.tokens);
        let rate = measure.rate(bounds).map(|rate| (rate, micros, at));
        let shares = self.shares.get(&measure).cloned().unwrap_or_default();
        Pool { cap: measure.cap(bounds), rate, shares }
    }

    fn put(&mut self, measure: Measure, pool: Pool) {
        if let Some((_, micros, at)) = pool.rate {
            self.tokens = (micros, at);
        }
        self.shares.insert(measure, pool.shares);
    }
}

impl Store {
    pub(super) fn declare_limits(&mut self, number: i64, declared: &Declared) {
        let now = self.now;
        for limited in &declared.limits {
            if self.last_word(limited.task.as_deref(), &limited.name) == Some(number) {
                let entry = self
                    .limits
                    .entry(limited.name.clone())
                    .or_insert_with(|| Entry::new(limited.task.clone(), limited.keyed, limited.bounds, now));
                (entry.task, entry.keyed) = (limited.task.clone(), limited.keyed);
                entry.declared = Some((number, limited.bounds));
                self.open_all(&limited.name);
            }
        }
        self.drop_limits(number, declared);
        self.redivide_all();
    }

    /// A limit of one of the tasks that isn't declared any more is gone, unless an operator has set it.
    fn drop_limits(&mut self, number: i64, declared: &Declared) {
        let gone = |name: &str, entry: &Entry| {
            let of_ours = entry.task.as_ref().is_some_and(|task| declared.tasks.contains(task));
            let stands = declared.limits.iter().any(|limited| limited.name == name);
            entry.declared.is_some()
                && of_ours
                && !stands
                && self.last_word(entry.task.as_deref(), name) == Some(number)
        };
        let gone: Vec<_> =
            self.limits.iter().filter(|(name, entry)| gone(name, entry)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.limits.entry(name.clone()).and_modify(|entry| entry.declared = None);
            self.drop_unless_needed(&name);
            self.open_all(&name);
            self.ring_all();
        }
    }

    /// The highest number among the sets of live workers that have the task, or a limit of this name that tasks share.
    fn last_word(&self, task: Option<&str>, name: &str) -> Option<i64> {
        let live = self.workers.values().filter_map(|worker| worker.edition);
        let says = |number: &i64| {
            let edition = &self.editions[number];
            match task {
                Some(task) => edition.tasks.iter().any(|known| known == task),
                None => edition.limits.iter().any(|limited| limited.name == name),
            }
        };
        live.filter(says).max()
    }

    pub(super) fn pools(&self, lease: Lease) -> Vec<PoolView> {
        let view = |name: &str, entry: &Entry, measure: Measure| {
            let mut portion = entry.pool(measure).portion(lease);
            let own = || self.gates.own_of(name).filter_map(|(_, bounds)| measure.cap(*bounds)).min();
            portion.cap = portion.cap.or_else(|| if entry.keyed { own() } else { None });
            let edition = entry.declared.map(|(number, _)| number);
            PoolView { pool: PoolName { limit: name.into(), measure }, keyed: entry.keyed, portion, edition }
        };
        self.limits.iter().flat_map(|(name, entry)| Measure::ALL.map(|measure| view(name, entry, measure))).collect()
    }

    pub(super) fn share(&mut self, lease: Lease, asks: Vec<(PoolName, Ask)>) -> Vec<(PoolName, Portion)> {
        let alive = self.workers.contains_key(&lease);
        asks.into_iter()
            .map(|(pool, ask)| {
                let portion = if alive {
                    self.share_one(lease, &pool, ask)
                } else {
                    Portion { cap: Some(0), ..Portion::default() }
                };
                (pool, portion)
            })
            .collect()
    }

    fn share_one(&mut self, lease: Lease, pool: &PoolName, ask: Ask) -> Portion {
        let now = self.now;
        let Some(entry) = self.limits.get_mut(&*pool.limit) else { return Portion::default() };
        let Balanced { pool: balanced, portion, tell } = entry.pool(pool.measure).balance(lease, ask, now);
        entry.put(pool.measure, balanced);
        self.ring(&tell);
        portion
    }

    /// What workers that are gone had is others'.
    pub(super) fn reclaim_shares(&mut self) {
        let alive = |share: &Share| self.workers.contains_key(&share.lease);
        let mut orphaned = false;
        for shares in self.limits.values_mut().flat_map(|entry| entry.shares.values_mut()) {
            let before = shares.len();
            shares.retain(alive);
            orphaned |= shares.len() < before;
        }
        if orphaned {
            self.redivide_all();
        }
    }

    pub(super) fn redivide_all(&mut self) {
        let (now, mut told) = (self.now, Vec::new());
        for entry in self.limits.values_mut() {
            for measure in Measure::ALL {
                let Balanced { pool, tell, .. } = entry.pool(measure).redivide(now);
                entry.put(measure, pool);
                told.extend(tell);
            }
        }
        self.ring(&told);
    }
}
