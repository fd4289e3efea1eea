//! How attempts get on, and end.

use std::time::Duration;

use pgq_core::{JobId, Lease, State, Transition};

use super::row::{Place, Row};
use super::store::Store;
use crate::backend::{Advance, Ended, Verdict};

impl Store {
    /// Writes how far a job's attempt has come, if it is still this claim's.
    pub(super) fn advance(&mut self, lease: Lease, advance: &Advance) -> Verdict {
        let is_held = self.is_held(lease, advance.id, advance.epoch);
        let Some(row) = self.jobs.get_mut(&advance.id).filter(|_| is_held) else { return Verdict::Lost };
        row.advance(advance.steps, self.now);
        Verdict::Written
    }

    /// Writes what becomes of a job, if it is still this claim's.
    pub(super) fn finish(&mut self, lease: Lease, ended: &Ended) -> Verdict {
        let Some(mut row) = self.take_held(lease, ended) else { return Verdict::Lost };
        if let Some(failure) = ended.transition.failure() {
            row.note(failure, Some(ended.ran), self.now.saturating_sub(ended.ago));
        }
        if let Some(steps) = ended.steps {
            row.advance(steps, self.now);
        }
        self.settle(row, &ended.transition, ended.keep);
        for job in &ended.follow_ups {
            self.enqueue(job.clone()).warn_of_rejection(ended.id);
        }
        Verdict::Written
    }

    fn take_held(&mut self, lease: Lease, ended: &Ended) -> Option<Row> {
        if self.is_held(lease, ended.id, ended.epoch) { self.remove(ended.id) } else { None }
    }

    fn is_held(&self, lease: Lease, id: JobId, epoch: u32) -> bool {
        self.jobs.get(&id).is_some_and(|row| row.place == Place::Held(lease) && row.epoch == epoch)
    }

    fn settle(&mut self, mut row: Row, transition: &Transition, keep: Duration) {
        // Every transition is an edge that leaves running: the core's tests hold that, and nothing falls back here.
        let state = State::Running.after(transition.event()).unwrap_or(State::Discarded);
        match *transition {
            Transition::Retry { after, .. } => self.put_back(row, after, state),
            Transition::Snooze { after } => {
                row.refund();
                self.put_back(row, after, state);
            }
            Transition::Release => {
                row.release();
                row.begun();
                self.insert(row);
            }
            _ => {
                if state == State::Cancelled {
                    self.free_key(&row);
                } else {
                    self.yield_key(&row);
                }
                self.archive(row, state, keep);
            }
        }
    }

    fn put_back(&mut self, mut row: Row, after: Duration, state: State) {
        row.clear();
        row.wait_until(self.now.saturating_add(after), state, self.now);
        self.insert(row);
    }
}
