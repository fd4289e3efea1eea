//! The jobs of this worker, from their claim until the backend has answered for their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pgq_core::{Claimed, JobId};
use tokio_util::sync::CancellationToken;

use crate::backend::Cancelled;

#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashMap<(JobId, u32), Grip>>);

/// A hold on one attempt from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Grip {
    why: Arc<OnceLock<String>>,
    cancelled: CancellationToken,
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
        let grip = Grip::default();
        self.with(|held| held.insert((job.id, job.epoch), grip.clone()));
        grip
    }

    pub(super) fn remove(&self, claims: impl IntoIterator<Item = (JobId, u32)>) {
        self.with(|held| claims.into_iter().for_each(|claim| _ = held.remove(&claim)));
    }

    /// Cancels a job if this claim of it still runs.
    pub(super) fn cancel(&self, Cancelled { id, epoch, why }: &Cancelled) {
        let grip = self.with(|held| held.get(&(*id, *epoch)).cloned());
        if let Some(grip) = grip {
            let _ = grip.why.set(why.clone());
            grip.cancelled.cancel();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.with(|held| held.is_empty())
    }

    pub(super) fn claims(&self) -> Vec<(JobId, u32)> {
        self.with(|held| held.keys().copied().collect())
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<(JobId, u32), Grip>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
