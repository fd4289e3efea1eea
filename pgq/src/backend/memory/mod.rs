//! The backend that keeps its jobs in this process: for tests, examples and a first look, with the semantics of the
//! PostgreSQL adapter and nothing behind it when the process ends.
//!
//! One lock holds everything, so that a verb is one step that no other sees half of: what the adapter needs row locks
//! and fences in two statements for falls out of that. A verb that makes jobs ready only notes them; [`Memory::with`]
//! wakes the sleepers at its end, so that none can forget to.

mod change;
mod claim;
mod finish;
mod gates;
mod limit;
mod look;
mod maintain;
mod operate;
mod overrides;
mod produce;
mod row;
mod schedule;
mod search;
mod session;
mod store;
mod tx;
mod unique;
mod waits;
mod wake;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::vigil::Vigil;
use super::{Answer, Backend, Registration};
use crate::platform::Clock;
use session::Session;
use store::Store;

/// Jobs in memory. Clones are one store.
#[derive(Clone)]
pub(crate) struct Memory {
    store: Arc<Mutex<Store>>,
    clock: Clock,
}

impl Memory {
    /// An empty store that lives by `clock`.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { store: Arc::new(Mutex::new(Store::new(clock.now()))), clock }
    }

    /// Does a verb, as one step at one instant, once the answer is awaited: one that is dropped before did nothing.
    fn answer<'a, T: Send + 'a>(&'a self, verb: impl FnOnce(&mut Store) -> T + Send + 'a) -> Answer<'a, T> {
        Box::pin(async move { Ok(self.with(verb)) })
    }

    fn with<T>(&self, verb: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.now = self.clock.now();
        let answer = verb(&mut store);
        store.open_left();
        store.wake();
        answer
    }
}

impl Backend for Memory {
    fn register(&self, worker: Registration) -> Answer<'_, Arc<dyn super::Session>> {
        self.answer(move |store| -> Arc<dyn super::Session> {
            let bell = store.register(&worker);
            let vigil = Arc::new(Vigil::begin(&self.clock));
            Arc::new(Session { memory: self.clone(), lease: worker.lease, vigil, bell })
        })
    }
}

/// Says nothing of the jobs: there may be a hundred thousand.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("clock", &self.clock).finish_non_exhaustive()
    }
}
