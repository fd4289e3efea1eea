//! The gates of limit keys. What PostgreSQL needs locks and two statements for is one step here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem;
use std::time::Duration;

use pgq_core::limit::gate::Gate;
use pgq_core::limit::gatehouse::{Gatehouse, Post, is_far, release};
use pgq_core::{Bounds, JobId, Timestamp};

use super::row::{Key, Lane, Place, Row};
use super::store::Store;
use crate::backend::{GATE_AGE, PARKED, parts_of_gate};

/// What is known of gates, by their names.
#[derive(Default)]
pub(super) struct Gates {
    /// What an operator has set in place of their limits' bounds.
    pub(super) own: BTreeMap<String, Bounds>,
    /// Since when each is known.
    pub(super) since: BTreeMap<String, Timestamp>,
    /// Where each stood when it was counted last, by a rate that may not be in force any more.
    counted: HashMap<String, Gate>,
    opens: HashMap<String, Timestamp>,
    /// Who has passed and runs.
    passes: HashMap<String, HashSet<JobId>>,
    /// Who waits, by the gate that holds him up.
    parked: HashMap<String, BTreeSet<Key>>,
    /// Who is ready, by the first gate that he has to pass.
    ready: HashMap<String, BTreeSet<Key>>,
    /// Gates that somebody has left within the verb that runs.
    left: BTreeSet<String>,
    /// When the first of the gates opens that have held somebody up within the claim that runs, and nobody before.
    first_opens: Option<Timestamp>,
}

impl Gates {
    /// What an operator has set of single gates of a limit.
    pub(super) fn own_of(&self, limit: &str) -> impl Iterator<Item = (&String, &Bounds)> {
        let of = format!("{limit}=");
        self.own.iter().filter(move |(name, _)| name.starts_with(&of))
    }

    /// Who has passed a gate and runs.
    pub(super) fn passed(&self, name: &str) -> BTreeSet<JobId> {
        self.passes.get(name).into_iter().flatten().copied().collect()
    }

    /// Of how many gates of a limit attempts run, and how many hold somebody up.
    pub(super) fn counts(&self, limit: &str) -> (u32, u32) {
        let of = format!("{limit}=");
        let busy = self.passes.iter().filter(|(name, passes)| name.starts_with(&of) && !passes.is_empty()).count();
        let blocking = self.parked.keys().filter(|name| name.starts_with(&of)).count();
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        (count(busy), count(blocking))
    }
}

impl Gates {
    /// Its limit is gone; should it come back, it numbers its rates anew, and each gate is counted as by the first of them.
    pub(super) fn outlive(&mut self, limit: &str) {
        let of = format!("{limit}=");
        for (_, gate) in self.counted.iter_mut().filter(|(name, _)| name.starts_with(&of)) {
            gate.pace = 0;
        }
    }

    fn forget(&mut self, name: &str) {
        self.since.remove(name);
        self.counted.remove(name);
        self.passes.remove(name);
    }
}

impl Store {
    /// Gates that are to be looked at later than what they let through explains are due.
    pub(super) fn mend_gates(&mut self) {
        let is_far =
            |(name, opens): &(&String, &Timestamp)| is_far(**opens, self.gate(name), self.gate_bounds(name), self.now);
        let far: Vec<String> = self.gates.opens.iter().filter(is_far).map(|(name, _)| name.clone()).collect();
        for name in far {
            self.gates.opens.insert(name, self.now);
        }
    }

    /// Forgets gates that are old and at rest, so many at most; how many.
    pub(super) fn prune_gates(&mut self, step: u32) -> u64 {
        let (now, gates) = (self.now, &self.gates);
        let idle = gates.since.iter().filter(|(name, since)| {
            since.saturating_add(GATE_AGE) <= now && !gates.own.contains_key(*name) && self.is_at_rest(name)
        });
        let idle: Vec<String> = idle.map(|(name, _)| name.clone()).take(step as usize).collect();
        for name in &idle {
            self.gates.forget(name);
        }
        idle.len() as u64
    }

    /// Nobody runs behind it or waits at it, and it has forgotten all its starts.
    fn is_at_rest(&self, name: &str) -> bool {
        let (gate, gates) = (self.gate(name), &self.gates);
        let used = gate.running > 0 || gates.parked.contains_key(name) || gates.opens.contains_key(name);
        !used && gate.is_at_rest(self.now)
    }

    pub(super) fn list_gated(&mut self, row: &Row) {
        match row.place {
            Place::Ready => put(&mut self.gates.ready, row.limit_keys.first(), row.key()),
            Place::Parked(gate) => put(&mut self.gates.parked, row.limit_keys.get(usize::from(gate)), row.key()),
            Place::Deferred(_) | Place::Held(_) => {}
        }
    }

    pub(super) fn unlist_gated(&mut self, row: &Row) {
        match row.place {
            Place::Ready => take(&mut self.gates.ready, row.limit_keys.first(), row.key()),
            Place::Parked(gate) => take(&mut self.gates.parked, row.limit_keys.get(usize::from(gate)), row.key()),
            Place::Held(_) => self.leave(row),
            Place::Deferred(_) => {}
        }
    }

    fn leave(&mut self, row: &Row) {
        for name in &row.limit_keys {
            if self.gates.passes.get_mut(name).is_some_and(|passes| passes.remove(&row.id)) {
                self.gates.left.insert(name.clone());
            }
        }
    }

    /// What is set of a gate, or what its limit says. Where there is no such limit all may pass, and are counted.
    pub(super) fn gate_bounds(&self, name: &str) -> Bounds {
        let limit = || self.limits.get(parts_of_gate(name).0).map(super::limit::Entry::bounds);
        self.gates.own.get(name).copied().or_else(limit).unwrap_or_default()
    }

    pub(super) fn gate(&self, name: &str) -> Gate {
        let running = self.gates.passes.get(name).map_or(0, HashSet::len);
        let counted = self.gates.counted.get(name).copied().unwrap_or_default();
        let gate = Gate { running: u32::try_from(running).unwrap_or(u32::MAX), ..counted };
        let limit = self.limits.get(parts_of_gate(name).0).filter(|_| !self.gates.own.contains_key(name));
        limit.map_or(gate, |limit| gate.follow(&limit.paces, limit.bounds().rate))
    }

    /// What an operator sets of a gate, or has its limit's bounds again; what it had.
    pub(super) fn bound_gate(&mut self, name: &str, own: Option<Bounds>) -> Option<Bounds> {
        let (gate, from) = (self.gate(name), self.gate_bounds(name).rate);
        let had = match own {
            Some(own) => self.gates.own.insert(name.to_owned(), own),
            None => self.gates.own.remove(name),
        };
        let pace = self.limits.get(parts_of_gate(name).0).map_or(0, |limit| limit.paces.number());
        let gate = gate.swap(from, self.gate_bounds(name).rate, pace, self.now);
        self.gates.counted.insert(name.to_owned(), gate);
        had
    }

    fn post(&self, name: &str, but: JobId) -> Post {
        let bounds = self.gate_bounds(name);
        // One of another queue or task that is ready may wait for a worker that there is none of; so may a suspect,
        // of which a worker takes one at a time.
        let lane = self.jobs.get(&but).map(|row| &row.lane);
        let comes = |row: &Row| Some(&row.lane) == lane && !row.is_suspect() && !row.is_late(self.now);
        let comes = |key: &&Key| self.jobs.get(&key.id).is_some_and(comes);
        let parked = self.gates.parked.get(name).and_then(|keys| keys.iter().find(|key| key.id != but));
        let ready = self.gates.ready.get(name).and_then(|keys| keys.iter().filter(comes).find(|key| key.id != but));
        let first = parked.into_iter().chain(ready).min();
        let first = first.map(|key| (key.rank, key.run_at, key.id));
        let opens = self.gates.opens.get(name).copied();
        Post { bounds, gate: self.gate(name), first, opens, ahead: 0, used: false, first_opens: None }
    }

    /// Lets a ready job through its gates, or parks it; whether it may run.
    pub(super) fn pass_gates(&mut self, id: JobId) -> bool {
        let Some(row) = self.jobs.get(&id).filter(|row| !row.limit_keys.is_empty()) else { return true };
        let (names, key, late) = (row.limit_keys.clone(), row.key(), row.is_late(self.now));
        if late {
            // It is discarded before its handler begins, and takes nobody's place; whoever comes behind it has waited for its turn.
            self.gates.left.extend(names);
            return true;
        }
        for name in &names {
            self.gates.since.entry(name.clone()).or_insert(self.now);
        }
        let posts = names.iter().map(|name| (name.clone(), self.post(name, id)));
        let mut house = Gatehouse::of(posts);
        let held_up = house.pass((key.rank, key.run_at, id), &names, self.now).err();
        for (name, post) in house.posts() {
            self.gates.counted.insert(name.to_owned(), post.gate);
            if post.used {
                self.gates.passes.entry(name.to_owned()).or_default().insert(id);
            }
            if let Some(opens) = post.opens {
                self.gates.opens.insert(name.to_owned(), opens);
            }
        }
        self.gates.first_opens = self.gates.first_opens.into_iter().chain(house.first_opens()).min();
        let Some(gate) = held_up.and_then(|gate| names.iter().position(|name| name == gate)) else { return true };
        // Whoever left one of its other gates to it may have been the last to look there.
        self.gates.left.extend(names.iter().enumerate().filter(|(at, _)| *at != gate).map(|(_, name)| name.clone()));
        self.change(id, |row| row.park(u8::try_from(gate).unwrap_or(u8::MAX)));
        false
    }

    /// Parks those who come behind these in their lanes, where the gate that holds them up lets nobody through: a task of which few
    /// run at once would else claim a backlog of one key by so few at a time, and other keys' jobs wait behind it.
    pub(super) fn park_next(&mut self, held_up: &[JobId]) {
        let closed: HashSet<(String, Lane)> = held_up.iter().filter_map(|id| self.closed(*id)).collect();
        let of_each = (PARKED / closed.len().max(1)).max(1);
        for (gate, lane) in closed {
            let ready = self.gates.ready.get(&gate).into_iter().flatten();
            let comes = |id: &JobId| self.jobs.get(id).is_some_and(|row| row.lane == lane && !row.is_suspect());
            let next: Vec<JobId> = ready.map(|key| key.id).filter(comes).take(of_each).collect();
            for id in next {
                self.change(id, |row| row.place = Place::Parked(0));
            }
        }
    }

    /// The gate that a parked job waits at, if that lets nobody through just now, and its lane.
    fn closed(&self, id: JobId) -> Option<(String, Lane)> {
        let row = self.jobs.get(&id)?;
        let Place::Parked(gate) = row.place else { return None };
        let gate = row.limit_keys.get(usize::from(gate))?;
        self.is_closed(gate).then(|| (gate.clone(), row.lane.clone()))
    }

    /// Whether a gate lets nobody through just now.
    pub(super) fn is_closed(&self, name: &str) -> bool {
        let bounds = self.gate_bounds(name);
        self.gate(name).under(bounds, self.now).room(bounds, self.now).0 == 0
    }

    /// At the end of a verb: whoever waited for those who have left may be ready.
    pub(super) fn open_left(&mut self) {
        for name in mem::take(&mut self.gates.left) {
            self.unpark(&name);
        }
    }

    /// Looks at the gates that open by now; how many jobs are ready by that, where there are any such gates.
    pub(super) fn open_due(&mut self) -> Option<u32> {
        let due = self.gates.opens.iter().filter(|(_, opens)| **opens <= self.now).map(|(name, _)| name.clone());
        let due: Vec<String> = due.collect();
        (!due.is_empty()).then(|| due.iter().map(|name| self.unpark(name)).sum())
    }

    /// How soon the first gate opens at which a claim has been held up that has ended, and nobody before.
    pub(super) fn take_first_opens(&mut self) -> Option<Duration> {
        self.gates.first_opens.take().map(|opens| opens.since(self.now))
    }

    /// When the next gate opens.
    pub(super) fn next_open(&self) -> Option<Timestamp> {
        self.gates.opens.values().min().copied()
    }

    /// Looks at all gates of a limit once more.
    pub(super) fn open_all(&mut self, limit: &str) {
        let of = format!("{limit}=");
        let names: Vec<String> = self.gates.parked.keys().filter(|name| name.starts_with(&of)).cloned().collect();
        for name in names {
            self.unpark(&name);
        }
    }

    fn ahead(&self, name: &str) -> u32 {
        let first = self.gates.parked.get(name).and_then(BTreeSet::first);
        let ready = first.and_then(|first| self.gates.ready.get(name).map(|keys| keys.range(..*first).count()));
        u32::try_from(ready.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    fn unpark(&mut self, name: &str) -> u32 {
        let waiting = self.gates.parked.get(name).map_or(0, BTreeSet::len);
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let bounds = self.gate_bounds(name);
        let (gate, opens) = (self.gate(name).under(bounds, self.now), self.gates.opens.remove(name));
        self.gates.counted.insert(name.to_owned(), gate);
        let post = Post { bounds, gate, first: None, opens, ahead: self.ahead(name), used: false, first_opens: None };
        let (free, opens) = release(&post, waiting, self.now);
        if let Some(opens) = opens {
            self.gates.opens.insert(name.to_owned(), opens);
        }
        let keys = self.gates.parked.get(name).into_iter().flatten().take(free as usize);
        let ids: Vec<JobId> = keys.map(|key| key.id).collect();
        for id in ids {
            self.change(id, |row| row.place = Place::Ready);
        }
        free
    }
}

fn put(lists: &mut HashMap<String, BTreeSet<Key>>, name: Option<&String>, key: Key) {
    if let Some(name) = name {
        lists.entry(name.clone()).or_default().insert(key);
    }
}

fn take(lists: &mut HashMap<String, BTreeSet<Key>>, name: Option<&String>, key: Key) {
    let Some(name) = name else { return };
    if let Some(keys) = lists.get_mut(name) {
        keys.remove(&key);
        if keys.is_empty() {
            lists.remove(name);
        }
    }
}
