//! What the services of one worker share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pgq_core::JobId;
use tokio_util::sync::CancellationToken;

use super::completer::Outbox;
use super::service::Signal;
use super::slots::Slots;
use crate::Client;
use crate::backend::{Session, Want};
use crate::platform::Platform;
use crate::task::BoundTask;

pub(super) struct Engine {
    pub(super) session: Arc<dyn Session>,
    pub(super) platform: Platform,
    pub(super) client: Client,
    /// By name and alias.
    pub(super) tasks: HashMap<&'static str, BoundTask>,
    pub(super) wants: Arc<[Want]>,
    pub(super) slots: Slots,
    /// The jobs that were claimed and whose end isn't written yet.
    pub(super) held: Held,
    pub(super) outbox: Outbox,
    /// There may be something to claim, or room for it.
    pub(super) stir: Signal,
    /// Something is due soon.
    pub(super) due: Signal,
    /// Whether notices would reach us.
    pub(super) hears: AtomicBool,
    pub(super) halt: Halt,
}

/// The jobs of this worker, from their claim until the backend has answered for their end.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashSet<JobId>>);

impl Held {
    pub(super) fn add(&self, ids: impl IntoIterator<Item = JobId>) {
        self.with(|held| held.extend(ids));
    }

    pub(super) fn remove(&self, ids: impl IntoIterator<Item = JobId>) {
        self.with(|held| ids.into_iter().for_each(|id| _ = held.remove(&id)));
    }

    pub(super) fn ids(&self) -> Vec<JobId> {
        self.with(|held| held.iter().copied().collect())
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashSet<JobId>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The steps of coming to an end, each a token that fires once.
#[derive(Clone, Debug, Default)]
pub(super) struct Halt {
    /// Claim nothing more.
    pub(super) drain: CancellationToken,
    /// Handlers should end early: the parent of every attempt's token.
    pub(super) hurry: CancellationToken,
    /// Handlers are dropped, their jobs handed back.
    pub(super) abort: CancellationToken,
    /// The services that outlive the handlers end too.
    pub(super) close: CancellationToken,
    /// The worker was declared gone: what it holds is others' now.
    pub(super) lost: CancellationToken,
}

impl Engine {
    pub(super) fn new(
        session: Arc<dyn Session>,
        client: Client,
        tasks: HashMap<&'static str, BoundTask>,
        wants: Arc<[Want]>,
        slots: usize,
    ) -> Self {
        let stir = Signal::new();
        Self {
            session,
            platform: client.platform().clone(),
            client,
            tasks,
            wants,
            slots: Slots::new(slots, stir.clone()),
            held: Held::default(),
            outbox: Outbox::new(),
            stir,
            due: Signal::new(),
            hears: AtomicBool::new(false),
            halt: Halt::default(),
        }
    }

    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::SeqCst)
    }
}
