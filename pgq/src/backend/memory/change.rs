//! What operators change: one job, or what is claimed at all.

use std::time::Duration;

use pgq_core::JobId;

use super::row::{Lane, Place, Row};
use super::store::Store;
use crate::backend::{Change, Deletion, Edited, Notice, Pausable, Pause};

impl Store {
    pub(super) fn edit(&mut self, id: JobId, change: Change) -> Edited {
        let Some(row) = self.jobs.get(&id) else {
            return self.history.get(&id).map_or(Edited::Unknown, |kept| Edited::Finished(kept.state));
        };
        if change.task.as_ref().is_some_and(|task| task != row.lane.names().0) {
            return Edited::OtherTask;
        }
        if matches!(row.place, Place::Held(_)) {
            return Edited::Running;
        }
        let now = self.now;
        self.change(id, |row| row.edit(change, now));
        Edited::Done
    }

    pub(super) fn delete(&mut self, id: JobId) -> Deletion {
        if matches!(self.jobs.get(&id).map(|row| row.place), Some(Place::Held(_))) {
            return Deletion::Running;
        }
        let row = self.remove(id).or_else(|| self.unarchive(id).map(|kept| kept.row));
        row.map_or(Deletion::Unknown, |row| {
            self.forget_key(&row);
            Deletion::Done
        })
    }

    /// Its key is free, unless another job has taken it meanwhile.
    fn forget_key(&mut self, row: &Row) {
        if self.conflict(row).is_some_and(|holder| holder.id == row.id) {
            self.free_key(row);
        }
    }

    pub(super) fn pause(&mut self, what: Pausable, reason: String, span: Option<Duration>) {
        let until = span.map(|span| self.now.saturating_add(span));
        let since = self.pauses.get(&what).filter(|pause| self.holds(pause)).map_or(self.now, |pause| pause.since);
        self.pauses.insert(what.clone(), Pause { what, reason, since, until });
    }

    pub(super) fn resume(&mut self, what: &Pausable) -> bool {
        let resumed = self.pauses.remove(what).is_some();
        if resumed {
            self.rouse();
        }
        resumed
    }

    /// Wakes all who sleep and have something to do.
    fn rouse(&mut self) {
        for lane in self.ready.keys() {
            self.fresh.note(lane, Notice { work: true, ..Notice::default() });
        }
    }

    pub(super) fn holds(&self, pause: &Pause) -> bool {
        pause.until.is_none_or(|until| until > self.now)
    }

    pub(super) fn is_paused(&self, lane: &Lane) -> bool {
        let (task, queue) = lane.names();
        self.pauses.values().filter(|pause| self.holds(pause)).any(|pause| match &pause.what {
            Pausable::Queue(name) => name == queue,
            Pausable::Task(name) => name == task,
        })
    }
}
