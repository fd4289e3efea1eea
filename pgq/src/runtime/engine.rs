//! What the services of one worker share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pgq_core::JobId;
use tokio_util::sync::CancellationToken;

use super::completer::Outbox;
use super::discards::Discards;
use super::held::Held;
use super::service::Signal;
use super::slots::Slots;
use crate::Client;
use crate::backend::{Session, Want};
use crate::platform::Platform;
use crate::task::BoundTask;

pub(super) struct Engine {
    pub(super) session: Arc<dyn Session>,
    /// For how long the worker may be silent.
    pub(super) lease: Duration,
    pub(super) platform: Platform,
    pub(super) client: Client,
    /// By name and alias.
    pub(super) tasks: HashMap<&'static str, BoundTask>,
    pub(super) wants: Arc<[Want]>,
    pub(super) slots: Slots,
    /// The jobs that were claimed and whose end isn't written yet.
    pub(super) held: Held,
    pub(super) outbox: Outbox,
    pub(super) discards: Discards,
    /// There may be something to claim, or room for it.
    pub(super) stir: Signal,
    /// Something is due soon.
    pub(super) due: Signal,
    /// Another worker was declared gone.
    pub(super) lost_one: Signal,
    /// Whether notices would reach us.
    pub(super) hears: AtomicBool,
    pub(super) doubts: Doubts,
    pub(super) halt: Halt,
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
        discards: Discards,
        wants: Arc<[Want]>,
        slots: usize,
        lease: Duration,
    ) -> Self {
        let stir = Signal::new();
        Self {
            session,
            lease,
            platform: client.platform().clone(),
            client,
            tasks,
            wants,
            slots: Slots::new(slots, stir.clone()),
            held: Held::default(),
            outbox: Outbox::new(),
            discards,
            stir,
            due: Signal::new(),
            lost_one: Signal::new(),
            hears: AtomicBool::new(false),
            doubts: Doubts::default(),
            halt: Halt::default(),
        }
    }

    /// These claims (job, epoch) have been answered for.
    pub(super) fn let_go(&self, claims: impl IntoIterator<Item = (JobId, u32)>) {
        if self.held.remove(claims) {
            // The claimer may have left another suspect alone because of one of them.
            self.stir.raise();
        }
    }

    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::SeqCst)
    }
}

/// Reasons to think that the lease holds jobs of which this process doesn't know: a claim without an answer, a server that
/// may have forgotten something. They are counted, so that whoever settles what he saw leaves what came after it.
#[derive(Debug, Default)]
pub(super) struct Doubts(AtomicUsize);

impl Doubts {
    pub(super) fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// So many of those that were counted are no more.
    pub(super) fn settle(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::SeqCst);
    }
}
