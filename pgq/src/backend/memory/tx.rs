//! A transaction: changes that are put aside until it is committed.

use std::mem;
use std::sync::{Mutex, PoisonError};

use pgq_core::{JobId, Lease, NewJob, OnConflict, Placement};

use super::Memory;
use super::row::Row;
use super::store::{Holder, Store};
use crate::backend::postgres::TxConnection;
use crate::backend::{Answer, Ended, Enqueued, Transaction, Verdict};
use crate::client::NO_SQL;
use crate::error::{Error, Kind};

/// Changes that nobody sees yet, but for the unique keys that they have taken. Jobs have their ids and times from when
/// they were enqueued.
pub(super) struct Tx {
    memory: Memory,
    changes: Mutex<Vec<Change>>,
}

enum Change {
    Insert(Row),
    Replace(JobId, Row),
    Raise(JobId, Row),
}

impl Tx {
    pub(super) fn begin(memory: Memory) -> Self {
        Self { memory, changes: Mutex::default() }
    }

    fn take(&self) -> Vec<Change> {
        mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// As if nothing had been: the keys are free again.
impl Drop for Tx {
    fn drop(&mut self) {
        let changes = self.take();
        self.memory.with(|store| {
            for change in changes {
                if let Change::Insert(row) = change {
                    store.free_key(&row);
                }
            }
        });
    }
}

impl Transaction for Tx {
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>> {
        self.memory.answer(|store| {
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.into_iter().map(|job| store.note(job, &mut changes)).collect()
        })
    }

    fn connection(&self) -> Answer<'_, TxConnection<'_>> {
        Box::pin(async { Err(Error::new(Kind::Unsupported, NO_SQL)) })
    }

    fn commit(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            let changes = self.take();
            self.memory.with(|store| changes.into_iter().for_each(|change| store.make(change)));
            Ok(())
        })
    }

    fn conclude(self: Box<Self>, lease: Lease, ended: Ended) -> Answer<'static, Verdict> {
        Box::pin(async move {
            Ok(self.memory.with(|store| {
                let verdict = store.finish(lease, &ended);
                if verdict == Verdict::Written {
                    self.take().into_iter().for_each(|change| store.make(change));
                }
                verdict
            }))
        })
    }

    fn rollback(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            drop(self);
            Ok(())
        })
    }
}

impl Store {
    /// Notes what a job would change.
    fn note(&mut self, job: NewJob, changes: &mut Vec<Change>) -> Enqueued {
        let row = self.draft(job);
        let id = row.id;
        let Some(holder) = self.conflict(&row) else {
            self.take_key(&row);
            changes.push(Change::Insert(row));
            return Enqueued { id, placement: Placement::New };
        };
        self.note_conflict(holder, row, changes)
    }

    fn note_conflict(&mut self, holder: Holder, row: Row, changes: &mut Vec<Change>) -> Enqueued {
        let id = holder.id;
        let own = changes.iter_mut().find_map(|change| match change {
            Change::Insert(own) if own.id == id => Some(own),
            _ => None,
        });
        let placement = match (row.on_conflict(), own) {
            (OnConflict::Replace, Some(own)) => {
                own.replace(row);
                Placement::Replaced
            }
            (OnConflict::RaisePriority, Some(own)) => {
                own.raise(row.priority());
                Placement::Raised
            }
            (OnConflict::Replace, None) if self.is_queued(id) => {
                changes.push(Change::Replace(id, row));
                Placement::Replaced
            }
            (OnConflict::RaisePriority, None) if self.is_queued(id) => {
                changes.push(Change::Raise(id, row));
                Placement::Raised
            }
            _ => return self.resolve(holder, row),
        };
        Enqueued { id, placement }
    }

    fn make(&mut self, change: Change) {
        match change {
            Change::Insert(row) => self.insert(row),
            Change::Replace(id, row) if self.is_queued(id) => self.replace_queued(id, row),
            Change::Raise(id, row) if self.is_queued(id) => self.raise_queued(id, &row),
            Change::Replace(..) | Change::Raise(..) => {}
        }
    }
}
