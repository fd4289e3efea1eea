//! The data: rows, and the lists by which they are found.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use pgq_core::{JobId, Lease, State, Timestamp};

use super::gates::Gates;
use super::limit;
use super::row::{Key, Lane, Place, Row};
use super::schedule::Entry;
use super::wake::{Fresh, Worker};
use crate::backend::{Cancelled, Declaration, Declared, Notice, Pausable, Pause, SOON};

/// Everything that the backend knows. A row is listed in one of `ready`, `deferred`, `held` and the gates, as its place
/// says; lists that run empty go, so that to have an entry is to have a job.
pub(super) struct Store {
    /// The instant of the verb that runs.
    pub(super) now: Timestamp,
    pub(super) last_id: i64,
    pub(super) jobs: HashMap<JobId, Row>,
    pub(super) ready: HashMap<Lane, BTreeSet<Key>>,
    pub(super) deferred: BTreeSet<(Timestamp, JobId)>,
    pub(super) held: BTreeMap<Lease, BTreeSet<JobId>>,
    pub(super) history: HashMap<JobId, Finished>,
    /// Who has a unique key, by task: a job that is in, or one that has ended until a time.
    pub(super) keys: HashMap<(String, String), Holder>,
    pub(super) expiries: BTreeSet<(Timestamp, JobId)>,
    pub(super) workers: BTreeMap<Lease, Worker>,
    /// What workers that are gone were told and didn't hear.
    pub(super) untold: Vec<Cancelled>,
    pub(super) schedules: BTreeMap<String, Entry>,
    /// Sets of what workers declare, numbered in the order in which they were first seen.
    pub(super) editions: BTreeMap<i64, Declared>,
    /// Until when sets were declared by workers that are gone.
    pub(super) past_editions: HashMap<i64, Timestamp>,
    /// By full name.
    pub(super) limits: BTreeMap<String, limit::Entry>,
    /// How often limits may have come to bound something.
    pub(super) begins: u64,
    pub(super) gates: Gates,
    pub(super) pauses: BTreeMap<Pausable, Pause>,
    /// What the last worker of each task declared of it, by name.
    pub(super) declarations: BTreeMap<String, Declaration>,
    pub(super) wakes: u64,
    pub(super) fresh: Fresh,
}

/// Who has a unique key.
#[derive(Clone, Copy)]
pub(super) struct Holder {
    pub(super) id: JobId,
    /// Until when, where the job has ended.
    pub(super) until: Option<Timestamp>,
}

/// What history keeps of a job.
pub(super) struct Finished {
    pub(super) row: Row,
    pub(super) state: State,
    pub(super) at: Timestamp,
    expires: Timestamp,
}

impl Store {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            last_id: 0,
            jobs: HashMap::new(),
            ready: HashMap::new(),
            deferred: BTreeSet::new(),
            held: BTreeMap::new(),
            history: HashMap::new(),
            keys: HashMap::new(),
            expiries: BTreeSet::new(),
            workers: BTreeMap::new(),
            untold: Vec::new(),
            schedules: BTreeMap::new(),
            editions: BTreeMap::new(),
            limits: BTreeMap::new(),
            begins: 0,
            gates: Gates::default(),
            past_editions: HashMap::new(),
            pauses: BTreeMap::new(),
            declarations: BTreeMap::new(),
            wakes: 0,
            fresh: Fresh::default(),
        }
    }

    /// Puts a row in, where its place says.
    pub(super) fn insert(&mut self, row: Row) {
        self.list_gated(&row);
        match row.place {
            Place::Parked(_) => {}
            Place::Ready => self.list_ready(&row),
            Place::Deferred(_) => self.list_deferred(&row),
            Place::Held(lease) => {
                self.held.entry(lease).or_default().insert(row.id);
            }
        }
        self.jobs.insert(row.id, row);
    }

    fn list_ready(&mut self, row: &Row) {
        self.fresh.note(&row.lane, Notice { work: true, ..Notice::default() });
        match self.ready.get_mut(&row.lane) {
            Some(keys) => keys.insert(row.key()),
            None => self.ready.entry(row.lane.clone()).or_default().insert(row.key()),
        };
    }

    /// A job that is due before a sleeper would next look by itself is worth waking it for.
    fn list_deferred(&mut self, row: &Row) {
        if row.run_at.since(self.now) <= SOON {
            self.fresh.note(&row.lane, Notice { soon: true, ..Notice::default() });
        }
        self.deferred.insert((row.run_at, row.id));
    }

    /// Takes a row out, of its list too.
    pub(super) fn remove(&mut self, id: JobId) -> Option<Row> {
        let row = self.jobs.remove(&id)?;
        self.unlist_gated(&row);
        match row.place {
            Place::Parked(_) => {}
            Place::Ready => self.unlist_ready(&row),
            Place::Deferred(_) => {
                self.deferred.remove(&(row.run_at, row.id));
            }
            Place::Held(lease) => self.unlist_held(lease, id),
        }
        Some(row)
    }

    fn unlist_ready(&mut self, row: &Row) {
        if let Some(keys) = self.ready.get_mut(&row.lane) {
            keys.remove(&row.key());
            if keys.is_empty() {
                self.ready.remove(&row.lane);
            }
        }
    }

    fn unlist_held(&mut self, lease: Lease, id: JobId) {
        if let Some(ids) = self.held.get_mut(&lease) {
            ids.remove(&id);
            if ids.is_empty() {
                self.held.remove(&lease);
            }
        }
    }

    /// Changes a row and lists it anew.
    pub(super) fn change<T>(&mut self, id: JobId, change: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let mut row = self.remove(id)?;
        let outcome = change(&mut row);
        self.insert(row);
        Some(outcome)
    }

    /// Moves a row that was taken out to history, where it is kept at all.
    pub(super) fn archive(&mut self, row: Row, state: State, keep: Duration) {
        if keep.is_zero() {
            return;
        }
        let expires = self.now.saturating_add(keep);
        self.expiries.insert((expires, row.id));
        self.history.insert(row.id, Finished { row, state, at: self.now, expires });
    }

    /// Takes a row out of history.
    pub(super) fn unarchive(&mut self, id: JobId) -> Option<Finished> {
        let kept = self.history.remove(&id)?;
        self.expiries.remove(&(kept.expires, id));
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use pgq_core::{Codec, Headers, NewJob, Priority, Transition, When};

    use super::*;
    use crate::backend::{Claim, Ended, Registration, Verdict, Want};

    const LEASE: Lease = Lease(1);

    fn job() -> NewJob {
        NewJob {
            task: "a".into(),
            queue: "q".into(),
            priority: Priority::default(),
            when: When::Now,
            max_attempts: 1,
            timeout: None,
            expires_in: None,
            unique: None,
            codec: Codec::default(),
            payload: Vec::new(),
            headers: Headers::new(),
            tick: None,
            limit_keys: Vec::new(),
        }
    }

    fn registration(wants: &[Want]) -> Registration {
        Registration {
            lease: LEASE,
            instance: uuid::Uuid::nil(),
            host: String::new(),
            pid: 1,
            span: Duration::from_secs(30),
            synchronous_commit: false,
            wants: wants.to_vec(),
            tasks: Vec::new(),
        }
    }

    #[test]
    fn a_finished_job_that_is_not_kept_leaves_no_trace() {
        let wants = [Want { queue: "q".into(), task: "a".into(), cap: 9 }];
        let mut store = Store::new(Timestamp::EPOCH);
        store.register(&registration(&wants));
        let row = store.draft(job());
        store.insert(row);
        let batch = store
            .claim(LEASE, &Claim { wants: wants.into(), groups: Vec::new(), limit: 9, thorough: true, suspect: true });
        for won in &batch.jobs {
            let (transition, keep) = (Transition::Complete, Duration::ZERO);
            let ended = Ended {
                id: won.id,
                epoch: won.epoch,
                ran: Duration::ZERO,
                ago: Duration::ZERO,
                transition,
                keep,
                steps: None,
                follow_ups: Vec::new(),
                limit_keys: Vec::new(),
            };
            assert_eq!(store.finish(LEASE, &ended), Verdict::Written);
        }
        assert_eq!(batch.jobs.len(), 1);
        assert!(store.jobs.is_empty() && store.ready.is_empty() && store.deferred.is_empty() && store.held.is_empty());
        assert!(store.history.is_empty() && store.expiries.is_empty());
    }
}
