//! Unique keys: one job of a task for each.

use pgq_core::{JobId, OnConflict, Placement};

use super::row::{Place, Row};
use super::store::{Holder, Store};
use crate::backend::Enqueued;

impl Store {
    /// Who has the row's unique key, if it has one and that is taken.
    pub(super) fn conflict(&self, row: &Row) -> Option<Holder> {
        let holder = self.keys.get(&row.unique_key()?)?;
        holder.until.is_none_or(|until| self.now < until).then_some(*holder)
    }

    /// The row's key is taken from now on.
    pub(super) fn take_key(&mut self, row: &Row) {
        if let Some(key) = row.unique_key() {
            self.keys.insert(key, Holder { id: row.id, until: None });
        }
    }

    /// A job has ended: its key is free, or will be.
    pub(super) fn yield_key(&mut self, row: &Row) {
        let (Some(key), Some(unique)) = (row.unique_key(), &row.unique) else { return };
        if unique.window.is_zero() {
            self.keys.remove(&key);
        } else {
            let until = Some(self.now.saturating_add(unique.window));
            self.keys.insert(key, Holder { id: row.id, until });
        }
    }

    /// A job was cancelled: its key is free at once.
    pub(super) fn free_key(&mut self, row: &Row) {
        if let Some(key) = row.unique_key() {
            self.keys.remove(&key);
        }
    }

    /// What becomes of a row whose key is taken.
    pub(super) fn resolve(&mut self, holder: Holder, row: Row) -> Enqueued {
        let id = holder.id;
        let placement = match row.on_conflict() {
            OnConflict::Skip => Placement::Existing,
            OnConflict::Replace if self.is_queued(id) => {
                self.replace_queued(id, row);
                Placement::Replaced
            }
            OnConflict::RaisePriority if self.is_queued(id) => {
                self.raise_queued(id, &row);
                Placement::Raised
            }
            OnConflict::RaisePriority => Placement::Existing,
            _ => Placement::Rejected { running: self.is_running(id) },
        };
        Enqueued { id, placement }
    }

    pub(super) fn is_queued(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(|row| !matches!(row.place, Place::Held(_)))
    }

    fn is_running(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(|row| matches!(row.place, Place::Held(_)))
    }

    pub(super) fn replace_queued(&mut self, id: JobId, row: Row) {
        self.change(id, |queued| queued.replace(row));
    }

    pub(super) fn raise_queued(&mut self, id: JobId, row: &Row) {
        self.change(id, |queued| queued.raise(row.priority()));
    }
}
