//! Looking for jobs.

use pgq_core::{Candidate, Filter, JobId, State};

use super::row::Row;
use super::store::Store;
use crate::backend::{Found, Search};

impl Store {
    /// The newest first.
    pub(super) fn find(&self, search: &Search) -> Found {
        let before = search.before.unwrap_or(JobId(i64::MAX));
        let mut all: Vec<JobId> =
            self.jobs.keys().chain(self.history.keys()).copied().filter(|id| *id < before).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        let mut found = Found::default();
        for id in all {
            if found.ids.len() == search.limit as usize || found.read == u64::from(search.budget) {
                return found;
            }
            found.read += 1;
            found.next = Some(id);
            if self.is_meant(id, &search.filter) {
                found.ids.push(id);
            }
        }
        found.next = None;
        found
    }

    fn is_meant(&self, id: JobId, filter: &Filter) -> bool {
        let queued = self.jobs.get(&id).map(|row| (row, row.state(self.now)));
        let kept = || self.history.get(&id).map(|kept| (&kept.row, kept.state));
        queued.or_else(kept).is_some_and(|(row, state)| self.admits(filter, row, state))
    }

    fn admits(&self, filter: &Filter, row: &Row, state: State) -> bool {
        let messages = row.failures.iter().map(|failure| &*failure.message);
        let (task, queue) = row.lane.names();
        let (created, headers, schedule) = (row.created, &row.headers, row.schedule());
        let candidate = Candidate { id: row.id, task, queue, state, created, headers, schedule };
        filter.admits(candidate, self.now, messages)
    }
}
