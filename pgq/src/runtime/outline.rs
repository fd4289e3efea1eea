//! A worker that is well thought out and not yet made: what it stands on is asked and built here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::at_work::AtWork;
use super::guard::describe;
use super::outage::Outage;
use super::patience::Patience;
use super::plan::{Duties, Endings, Plan};
use super::service::{Caught, Signal};
use crate::Client;
use crate::backend::Want;
use crate::error::{Error, Result};
use crate::task::{Blocking, Env, Layer, Resources, TaskEntry, Tasks};

pub(super) struct Outline<R: Resources> {
    pub(super) patience: Patience,
    pub(super) client: Client,
    pub(super) program: Vec<TaskEntry>,
    pub(super) tasks: Tasks<R>,
    pub(super) entries: Vec<TaskEntry>,
    pub(super) wants: Vec<Want>,
    pub(super) slots: usize,
    pub(super) blocking_slots: usize,
    pub(super) lease: Duration,
    pub(super) endings: Endings,
    pub(super) duties: Duties,
    pub(super) synchronous_commit: bool,
    pub(super) prunes_schedules: bool,
    pub(super) layers: Vec<Arc<dyn Layer>>,
    pub(super) resources: Option<R>,
}

impl<R: Resources> Outline<R> {
    /// Words of warning where the connection is to be doubted.
    pub(super) async fn self_test(&self) -> Result<Option<String>> {
        let doubt = self.patience.with(|| self.client.backend().self_test()).await?;
        if let Some(doubt) = &doubt {
            tracing::warn!("{doubt}");
        }
        Ok(doubt)
    }

    pub(super) async fn plan(self) -> Result<Plan<R>> {
        let Self { patience, client, .. } = self;
        patience.with(|| client.check()).await?;
        let resources = if let Some(resources) = self.resources {
            resources
        } else {
            let env = Env::new(client.clone());
            patience.with(|| make(&env)).await?
        };
        let resources = Arc::new(resources);
        let layers: Vec<_> = self.layers.into_iter().chain(resources.layers()).collect();
        let stir = Signal::new();
        let freed = stir.clone();
        let clock = client.platform().clock.clone();
        Ok(Plan {
            tasks: self.tasks.bind(&resources, &layers),
            instance: client.platform().instance(),
            blocking: Blocking::new(self.blocking_slots, clock, move || freed.raise()),
            slots: self.slots,
            stir,
            wants: self.wants.into(),
            lease: self.lease,
            endings: self.endings,
            patience,
            at_work: AtWork::default(),
            outage: Arc::new(Outage::new(client.platform().clock.clone())),
            duties: self.duties,
            synchronous_commit: self.synchronous_commit,
            prunes_schedules: self.prunes_schedules,
            client,
            resources,
            entries: self.entries,
            program: self.program,
        })
    }
}

/// Whatever ends it, it is the resources that weren't made: not the setting or the database of the worker itself.
async fn make<R: Resources>(env: &Env) -> Result<R> {
    match Caught(pin!(async { R::init(env).await })).await {
        // A database that is away or full ends a worker as such.
        Ok(Err(error)) if !(error.is_init() || error.is_passing() || error.is_away()) => Err(Error::init(error)),
        Ok(made) => made,
        Err(panic) => Err(Error::init(format!("`Resources::init` panicked: {}", describe(&*panic).message()))),
    }
}
