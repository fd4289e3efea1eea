//! Limits: what is declared, and how much of it each worker has.

use std::collections::{BTreeMap, BTreeSet};

use pgq_core::limit::divide::Stake;
use pgq_core::limit::pace::Paces;
use pgq_core::limit::pool::{Balanced, Pool};
use pgq_core::limit::share::{Awaited, Share, is_silent};
use pgq_core::limit::{self, MICROS};
use pgq_core::{Bounds, Lease, Rate, Timestamp};

use super::store::Store;
use super::wake::Worker;
use crate::backend::{Ask, Declared, Limited, Measure, NextToken, PoolName, PoolView, Portion};

/// A limit's row.
pub(super) struct Entry {
    pub(super) task: Option<String>,
    pub(super) sharers: Vec<String>,
    pub(super) keyed: bool,
    /// By the set of declarations of this number.
    pub(super) declared: Option<(i64, Bounds)>,
    /// What an operator has set in place of that.
    pub(super) own: Option<Bounds>,
    /// The rates that it has had, as of the last change.
    pub(super) paces: Paces,
    /// Its rate as of the last change, and how many millionths of a token were in the free units of that at an instant; none where it
    /// isn't bounded.
    tokens: Option<(Rate, u64, Timestamp)>,
    pub(super) shares: BTreeMap<Measure, Vec<Share>>,
    /// How many units those had who are gone since it was balanced last.
    orphaned: BTreeMap<Measure, u32>,
    /// Whether it is bounded how many attempts run at once.
    counted: bool,
    /// The number of the last time that it came to be, or to be of other tasks.
    begun: u64,
}

impl Entry {
    pub(super) fn new(task: Option<String>, keyed: bool) -> Self {
        let (shares, orphaned) = (BTreeMap::new(), BTreeMap::new());
        let (declared, own, paces, tokens) = (None, None, Paces::default(), None);
        Self {
            task,
            sharers: Vec::new(),
            keyed,
            declared,
            own,
            paces,
            tokens,
            shares,
            orphaned,
            counted: false,
            begun: 0,
        }
    }

    /// One that is declared where there was none begins with all its tokens, unless its tasks ran without it.
    fn first(limited: &Limited, ran: bool, now: Timestamp) -> Self {
        let full = |rate: Rate| if ran { 0 } else { u64::from(rate.burst()) * MICROS };
        let tokens = limited.bounds.rate.map(|rate| (rate, full(rate), now));
        Self { tokens, ..Self::new(limited.task.clone(), limited.keyed) }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.own.or(self.declared.map(|(_, bounds)| bounds)).unwrap_or_default()
    }

    fn pool(&self, measure: Measure) -> Pool {
        let bounds = self.bounds();
        let (rate, was) =
            measure.rate(bounds).zip(self.tokens).map(|(rate, (was, micros, at))| ((rate, micros, at), was)).unzip();
        let shares = self.shares.get(&measure).cloned().unwrap_or_default();
        let orphaned = self.orphaned.get(&measure).copied().unwrap_or_default();
        Pool { cap: measure.cap(bounds), rate, was, shares, orphaned, begun: self.begun }
    }

    /// What was started until now isn't known where nothing bounded it: a rate begins with nothing, and it is waited for what
    /// all live workers say that they run.
    fn begin(&mut self, live: &[(Lease, Awaited)], number: u64, now: Timestamp) {
        let bounds = self.bounds();
        self.change_rate(now);
        self.tokens = bounds.rate.map(|rate| self.tokens.unwrap_or((rate, 0, now)));
        let counted = bounds.concurrency.is_some() && !self.keyed;
        if counted && !self.counted {
            let awaited = |(lease, awaited): &(Lease, Awaited)| Share {
                lease: *lease,
                stake: Stake::default(),
                since: now,
                ahead: false,
                micros: 0,
                next: None,
                awaited: Some(*awaited),
                silent: false,
            };
            self.begun = number;
            self.shares.insert(Measure::Concurrency, live.iter().map(awaited).collect());
        }
        self.counted = counted;
    }

    /// When the next tokens come under another rate its holders say anew.
    fn change_rate(&mut self, now: Timestamp) {
        if self.paces.change(self.bounds().rate, now) {
            for share in self.shares.values_mut().flatten() {
                share.next = None;
            }
        }
    }

    /// Who gives signs of life, and when those who are awaited did last.
    fn hear(&mut self, workers: &BTreeMap<Lease, Worker>, now: Timestamp) {
        let latest = workers.values().map(|worker| worker.beat).max().unwrap_or(now).min(now);
        for share in self.shares.values_mut().flatten() {
            let worker = workers.get(&share.lease);
            share.silent = worker.is_some_and(|worker| is_silent(worker.beat, worker.span, latest));
            share.awaited = worker.filter(|_| share.awaited.is_some()).map(Worker::awaited);
        }
    }

    /// Who hasn't said yet what he runs, as far as that is waited for.
    pub(super) fn awaited(&self, workers: &BTreeMap<Lease, Worker>, now: Timestamp) -> impl Iterator<Item = Lease> {
        let shares = self.shares.get(&Measure::Concurrency).into_iter().flatten();
        let is_so = move |share: &&Share| {
            let worker = workers.get(&share.lease).filter(|_| share.awaited.is_some());
            worker.is_some_and(|worker| worker.awaited().is_so(share.since, now))
        };
        shares.filter(is_so).map(|share| share.lease)
    }

    fn put(&mut self, measure: Measure, pool: Pool) {
        self.tokens = pool.rate.or(self.tokens);
        self.shares.insert(measure, pool.shares);
        self.orphaned.insert(measure, pool.orphaned);
    }
}

impl Store {
    pub(super) fn declare_limits(&mut self, lease: Lease, number: i64, declared: &Declared) {
        let now = self.now;
        self.inherit_limits(&declared.tasks);
        let elsewhere = self.tasks_elsewhere(lease);
        for limited in &declared.limits {
            let sharers = self.sharers(&limited.name);
            if self.last_word(limited.task.as_deref(), &limited.name) == Some(number) {
                let ran = limited.task.iter().chain(&sharers).any(|task| elsewhere.contains(task));
                let entry = self.limits.entry(limited.name.clone()).or_insert_with(|| Entry::first(limited, ran, now));
                (entry.task, entry.keyed) = (limited.task.clone(), limited.keyed);
                entry.declared = Some((number, limited.bounds));
                entry.change_rate(now);
                self.open_all(&limited.name);
            }
            if let Some(entry) = self.limits.get_mut(&limited.name) {
                // What runs elsewhere of a task that shares it only now is to be said.
                let unknown = |task: &String| elsewhere.contains(task) && !entry.sharers.contains(task);
                entry.counted &= !sharers.iter().any(unknown);
                entry.sharers = sharers.into_iter().collect();
            }
        }
        self.drop_limits(number, declared);
        self.redivide_all();
    }

    /// What other live workers have.
    fn tasks_elsewhere(&self, lease: Lease) -> BTreeSet<String> {
        let others = self.workers.iter().filter(|(other, _)| **other != lease);
        others
            .filter_map(|(_, worker)| worker.edition)
            .flat_map(|number| self.editions[&number].tasks.clone())
            .collect()
    }

    /// The tasks that share a limit by the sets of live workers, each by the last one that has it and the limit.
    fn sharers(&self, name: &str) -> BTreeSet<String> {
        let names = |edition: &Declared| edition.limits.iter().any(|limited| limited.name == name);
        let numbers: BTreeSet<i64> = self.workers.values().filter_map(|worker| worker.edition).collect();
        let mut sharers = BTreeSet::new();
        for edition in numbers.iter().map(|number| &self.editions[number]).filter(|edition| names(edition)) {
            sharers.retain(|task| !edition.tasks.contains(task));
            let shared = edition.shared().filter(|(limit, _)| *limit == name);
            sharers.extend(shared.map(|(_, task)| task.to_owned()));
        }
        sharers
    }

    /// What is set of the limits of a task holds under its next name, too.
    fn inherit_limits(&mut self, tasks: &[String]) {
        for task in tasks {
            let heir = |(name, entry): (&String, &Entry)| {
                let (old, bounds) = (entry.task.as_deref()?, entry.own?);
                let key = name.strip_prefix(&limit::of_task(old))?;
                let name = format!("{}{key}", limit::of_task(task));
                let mut heir = Entry::new(Some(task.clone()), entry.keyed);
                (heir.own, heir.tokens) = (Some(bounds), entry.tokens);
                self.is_alias(old, task).then_some((name, heir))
            };
            let heirs: Vec<_> = self.limits.iter().filter_map(heir).collect();
            for (name, heir) in heirs {
                self.limits.entry(name).or_insert(heir);
            }
        }
    }

    /// A limit of one of the tasks that isn't declared any more is gone, unless an operator has set it; so is what a program
    /// that goes on has declared and no live worker does.
    fn drop_limits(&mut self, number: i64, declared: &Declared) {
        let gone = |name: &str, entry: &Entry| {
            let of_ours = entry.task.as_ref().is_some_and(|task| declared.tasks.contains(task));
            let stands = declared.limits.iter().any(|limited| limited.name == name);
            let is_ours = of_ours && self.last_word(entry.task.as_deref(), name) == Some(number);
            entry.declared.is_some() && !stands && (is_ours || self.is_outlived(name))
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

    /// Whether no live worker declares it, and a program goes on that did: of one that is away altogether all is kept until it
    /// is back.
    fn is_outlived(&self, name: &str) -> bool {
        let declares = |edition: &&Declared| edition.limits.iter().any(|limited| limited.name == name);
        let live = || self.workers.values().filter_map(|worker| worker.edition).map(|number| &self.editions[&number]);
        let goes_on = |past: &Declared| live().any(|live| live.tasks.iter().any(|task| past.tasks.contains(task)));
        !live().any(|live| declares(&live)) && self.editions.values().filter(declares).any(goes_on)
    }

    fn is_live(&self, number: i64) -> bool {
        self.workers.values().any(|worker| worker.edition == Some(number))
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
            let mut portion = entry.pool(measure).portion(lease, self.now);
            let own = || self.gates.own_of(name).filter_map(|(_, bounds)| measure.cap(*bounds)).min();
            portion.cap = portion.cap.or_else(|| if entry.keyed { own() } else { None });
            let edition = entry.declared.map(|(number, _)| number);
            let (pool, keyed) = (PoolName { limit: name.into(), measure }, entry.keyed);
            let outlived = entry.declared.is_some() && self.is_outlived(name);
            let upheld = edition.is_some_and(|number| self.is_live(number));
            PoolView { pool, sharers: entry.sharers.clone(), keyed, portion, edition, upheld, outlived }
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
        entry.hear(&self.workers, now);
        let Balanced { pool: balanced, portion, tell } = entry.pool(pool.measure).balance(lease, ask, now);
        entry.put(pool.measure, balanced);
        self.ring(&tell);
        portion
    }

    pub(super) fn foretell(&mut self, lease: Lease, tokens: Vec<(PoolName, NextToken)>) {
        let now = self.now;
        for (PoolName { limit, measure }, NextToken { wait, units, rate }) in tokens {
            let entry = self.limits.get_mut(&*limit).filter(|entry| measure.rate(entry.bounds()) == Some(rate));
            let mut shares = entry.into_iter().filter_map(|entry| entry.shares.get_mut(&measure)).flatten();
            if let Some(share) = shares.find(|share| share.lease == lease && share.stake.units == units) {
                share.next = Some(now.saturating_add(wait));
            }
        }
    }

    /// What workers that are gone had is others'.
    pub(super) fn reclaim_shares(&mut self) {
        let is_gone = |share: &mut Share| !self.workers.contains_key(&share.lease);
        let mut any = false;
        for entry in self.limits.values_mut() {
            for (measure, shares) in &mut entry.shares {
                for share in shares.extract_if(.., is_gone) {
                    *entry.orphaned.entry(*measure).or_default() += share.stake.units;
                    any = true;
                }
            }
        }
        if any {
            self.redivide_all();
        }
    }

    pub(super) fn redivide_all(&mut self) {
        let (now, mut told) = (self.now, Vec::new());
        let live: Vec<_> = self.workers.iter().map(|(lease, worker)| (*lease, worker.awaited())).collect();
        for entry in self.limits.values_mut() {
            self.begins += 1;
            entry.begin(&live, self.begins, now);
            entry.hear(&self.workers, now);
            for measure in Measure::ALL {
                let Balanced { pool, tell, .. } = entry.pool(measure).redivide(now);
                entry.put(measure, pool);
                told.extend(tell);
            }
        }
        self.ring(&told);
    }
}
