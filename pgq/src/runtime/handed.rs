//! The jobs that a worker hands back as it stops, for its last words.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pgq_core::JobId;

/// How many jobs are named.
pub(super) const NAMED: usize = 5;

/// The task of each.
#[derive(Debug, Default)]
pub(super) struct Handed(Mutex<BTreeMap<JobId, String>>);

impl Handed {
    pub(super) fn note(&self, job: JobId, task: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(job, task.to_owned());
    }

    /// Tells of them; how many there are.
    pub(super) fn tell(&self) -> usize {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, task) in jobs.iter().take(NAMED) {
            tracing::info!(job = %id, task, "job handed back: its worker stops");
        }
        let others = jobs.len().saturating_sub(NAMED);
        if others > 0 {
            tracing::info!(jobs = others, "more jobs handed back: their worker stops");
        }
        jobs.len()
    }
}
