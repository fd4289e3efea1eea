//! All that a worker is made of, from which its sessions are opened: one when it starts, and one after each time that it was
//! declared gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::at_work::AtWork;
use super::engine::{Engine, Halt};
use super::outage::Outage;
use super::patience::Patience;
use super::registration::{Declared, declared, introduce};
use super::service::Signal;
use super::tenure::Tenure;
use crate::backend::{Uuid, Want};
use crate::task::{Blocking, BoundTask, Resources, TaskEntry};
use crate::{Client, Result};

pub(super) struct Plan<R> {
    pub(super) client: Client,
    pub(super) resources: Arc<R>,
    pub(super) entries: Vec<TaskEntry>,
    /// All tasks of the program, whichever are run: it is the program that declares them.
    pub(super) program: Vec<TaskEntry>,
    pub(super) tasks: HashMap<&'static str, Arc<BoundTask>>,
    pub(super) wants: Arc<[Want]>,
    pub(super) slots: usize,
    /// Outlives a session, as do the handlers that are left behind in it.
    pub(super) blocking: Arc<Blocking>,
    /// As long.
    pub(super) at_work: AtWork,
    /// There may be something to claim, or room for it.
    pub(super) stir: Signal,
    pub(super) lease: Duration,
    pub(super) endings: Endings,
    pub(super) patience: Patience,
    pub(super) outage: Arc<Outage>,
    pub(super) duties: Duties,
    /// Whether its claims and ends wait for the disk.
    pub(super) synchronous_commit: bool,
    /// Whether orphaned schedules are deleted.
    pub(super) prunes_schedules: bool,
    /// Kept over sessions.
    pub(super) instance: Uuid,
}

/// When a worker ends by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Endings {
    /// When there is nothing left to do.
    pub(super) drain: bool,
    /// When notices don't reach it any more.
    pub(super) deaf: bool,
    /// When it could begin anew instead, it does.
    pub(super) restart: bool,
}

/// What a worker does beside what every worker does for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Duties {
    /// It makes the jobs of schedules, and runs jobs.
    #[default]
    All,
    /// It runs jobs.
    Tasks,
    /// It makes the jobs of schedules.
    Schedules,
}

impl Duties {
    /// Whether it makes the jobs of schedules.
    pub(super) fn fires(self) -> bool {
        self != Self::Tasks
    }
}

impl<R: Resources> Plan<R> {
    /// Whether a handler hasn't ended, in whichever session it began.
    pub(super) fn has_handlers(&self) -> bool {
        self.blocking.is_busy() || self.at_work.is_anybody()
    }

    /// Opens a session, with a lease of its own.
    pub(super) async fn open(&self, halt: Halt) -> Result<Arc<Engine>> {
        let declared = declared(&self.program)?;
        let registration = introduce(self);
        let tenure = Tenure::new(self.lease, self.client.platform().clock.mark());
        let session = self.client.backend().register(registration).await?;
        let declared = Declared::by(&*session, declared).await?;
        let engine = Engine::new(self, session, tenure, declared, halt);
        // Its code says nothing of what an operator has set of a task: known before the first claim, it holds for that too.
        engine.limits.look(&*engine.session).await?;
        Ok(Arc::new(engine))
    }
}
