//! The jobs of this worker, from their claim until the backend has answered for their end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pgq_core::{Claimed, JobId};
use tokio_util::sync::CancellationToken;

use crate::backend::Cancelled;

#[derive(Debug, Default)]
pub(super) struct Held {
    claims: Mutex<HashMap<(JobId, u32), Grip>>,
    suspects: AtomicUsize,
}

/// A hold on one attempt from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Grip {
    why: Arc<OnceLock<String>>,
    cancelled: CancellationToken,
    suspect: bool,
}

impl Grip {
    /// Waits until the job is cancelled; why it was.
    pub(super) async fn cancelled(&self) -> String {
        self.cancelled.cancelled().await;
        self.why.get().cloned().unwrap_or_default()
    }
}

impl Held {
    /// Takes note of a job that was claimed.
    pub(super) fn add(&self, job: &Claimed) -> Grip {
        let grip = Grip { suspect: job.is_suspect(), ..Grip::default() };
        self.suspects.fetch_add(grip.suspect.into(), Ordering::SeqCst);
        self.with(|held| held.insert((job.id, job.epoch), grip.clone()));
        grip
    }

    /// The claims (job, epoch) are this worker's no longer; whether a suspect was among them.
    pub(super) fn remove(&self, claims: impl IntoIterator<Item = (JobId, u32)>) -> bool {
        let suspects = self.with(|held| {
            claims.into_iter().filter_map(|claim| held.remove(&claim)).filter(|grip| grip.suspect).count()
        });
        self.suspects.fetch_sub(suspects, Ordering::SeqCst);
        suspects > 0
    }

    /// Cancels a job if this claim of it still runs.
    pub(super) fn cancel(&self, Cancelled { id, epoch, why }: &Cancelled) {
        let grip = self.with(|held| held.get(&(*id, *epoch)).cloned());
        if let Some(grip) = grip {
            let _ = grip.why.set(why.clone());
            grip.cancelled.cancel();
        }
    }

    /// Whether one of them may be about to kill this worker.
    pub(super) fn has_suspect(&self) -> bool {
        self.suspects.load(Ordering::SeqCst) > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.with(|held| held.is_empty())
    }

    pub(super) fn claims(&self) -> Vec<(JobId, u32)> {
        self.with(|held| held.keys().copied().collect())
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<(JobId, u32), Grip>) -> T) -> T {
        look(&mut self.claims.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
