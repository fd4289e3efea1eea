//! What any worker does for all: promote what is due, rescue what was lost, prune what is old. There is no leader, and
//! none is needed: whoever comes first does the step, and the others find nothing left of it. What there is to promote and to
//! rescue is seen by beats (`lookout.rs`); gates that open are one worker's (`doorkeeper.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::{JobId, lease};

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::backend::{Lease, Lost};

/// How many rows one step moves.
const STEP: u32 = 1_000;

/// Makes due jobs available.
pub(super) struct Promoter(pub(super) Arc<Engine>);

/// The longest time between two looks for what is due while no beat looks for it.
const PROMOTE: Duration = Duration::from_secs(1);

impl Service for Promoter {
    const NAME: &'static str = "promoter";

    fn signal(&self) -> Signal {
        self.0.due.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        let watch = self.0.doorkeeper.looks();
        let promoted = self.0.session.promote_beside(STEP, self.0.would_claim()).await?;
        let now = self.0.platform.clock.mark();
        let opens = self.0.doorkeeper.has_looked(watch, now.clone(), &promoted);
        // Else two would claim for the same jobs.
        if promoted.moved > 0 && !promoted.heard {
            self.0.stir.raise();
        }
        if promoted.moved >= STEP {
            return Ok(Next::Again);
        }
        let rest = self.0.rest(PROMOTE);
        let rest = promoted.next.into_iter().chain(opens).fold(rest, Duration::min);
        self.0.lookout.promotes_in(now, rest);
        Ok(Next::After(rest))
    }
}

/// Frees the jobs of workers that are gone.
pub(super) struct Rescuer(pub(super) Arc<Engine>);

/// The longest time between two looks for workers that are gone while no beat sees others; half a lease, where that is less. When
/// the lease of one who is silent is over that is known, and then somebody looks.
const RESCUE: Duration = Duration::from_secs(3);
/// The same while one does: what whoever died at a rescue has left, but for jobs, is seen by nobody else.
const LEFT: Duration = Duration::from_secs(30);
/// A lease is over when more time than it has gone by.
const MOMENT: Duration = Duration::from_millis(1);

impl Service for Rescuer {
    const NAME: &'static str = "rescuer";

    fn signal(&self) -> Signal {
        self.0.lost_one.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        let rescued = self.0.session.rescue(STEP).await?;
        if rescued.gone > 0 {
            tracing::warn!(workers = rescued.gone, "workers are gone: they were silent for longer than their lease");
        }
        if rescued.gone > 0 || rescued.freed > 0 {
            self.0.stir.raise();
        }
        self.0.lookout.has_rescued(self.0.platform.clock.mark(), rescued.gone > 0 || rescued.freed > 0);
        by_worker(&rescued.lost).for_each(|lost| tell_of(&lost));
        let more = rescued.freed >= STEP;
        for job in rescued.discarded {
            tracing::error!(job = %job.id, task = job.task, "job discarded: its workers died with it");
            self.0.discards.tell(job);
        }
        let until_next = rescued.next.map(|next| next.saturating_add(MOMENT));
        // Whose lease lasts longer than until the next beat is seen by that.
        let until_next = until_next.filter(|next| !self.0.lookout.tells() || *next <= lease::rest(self.0.lease));
        let rest = self.0.rest(RESCUE.min(self.0.lease / 2)).min(LEFT);
        Ok(if more { Next::Again } else { Next::After(until_next.map_or(rest, |next| next.min(rest))) })
    }
}

/// What each of the workers had, the oldest job first.
fn by_worker(lost: &[Lost]) -> impl Iterator<Item = Vec<&Lost>> {
    let mut workers: BTreeMap<Lease, BTreeMap<JobId, &Lost>> = BTreeMap::new();
    for one in lost {
        workers.entry(one.lease).or_default().insert(one.id, one);
    }
    workers.into_values().map(|lost| lost.into_values().collect())
}

/// How many jobs of a worker are named.
const NAMED: usize = 5;

/// Of jobs that were one worker's.
fn tell_of(lost: &[&Lost]) {
    let (named, others) = lost.split_at(lost.len().min(NAMED));
    for Lost { id, task, worker, lease } in named {
        tracing::warn!(job = %id, task, worker, lease = lease.0, "job freed: its worker is gone");
    }
    if let Some(Lost { worker, lease, .. }) = others.first() {
        tracing::warn!(jobs = others.len(), worker, lease = lease.0, "more jobs freed: their worker is gone");
    }
}

/// Finds what rescue can't see: jobs under a lease for which no worker answers.
pub(super) struct Sweeper(pub(super) Arc<Engine>);

/// The time between two looks of one worker; the backend sees to it that the fleet doesn't look more often than that.
const SWEEP: Duration = Duration::from_mins(1);

impl Service for Sweeper {
    const NAME: &'static str = "sweeper";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        let strays = self.0.session.sweep().await?;
        if strays > 0 {
            tracing::warn!(leases = strays, "no worker answers for these leases: what they hold is freed");
            self.0.lost_one.raise();
        }
        Ok(Next::After(SWEEP))
    }
}

/// Discards what nobody began in time, and deletes what has been kept for long enough; orphaned schedules too, where it is to.
pub(super) struct Pruner {
    engine: Arc<Engine>,
    /// It is this worker's turn, and there is more.
    more: bool,
}

/// The time between two looks of one worker; the backend sees to it that the fleet doesn't look more often than that.
const PRUNE: Duration = Duration::from_mins(1);
/// For how long the schedules of a worker that has left are kept for the next one: all may be started anew, one after the other.
const GRACE: Duration = Duration::from_mins(10);

impl Pruner {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, more: false }
    }

    /// One step, whoever's turn it is.
    pub(super) async fn step(&mut self) -> Result<Next> {
        let Engine { session, discards, .. } = &*self.engine;
        let late = session.expire(STEP).await?;
        self.more = late.len() >= STEP as usize;
        for job in late {
            tracing::error!(job = %job.id, task = job.task, "job discarded: nobody began it in time");
            discards.tell(job);
        }
        self.more |= session.prune(STEP).await?.more;
        Ok(if self.more { Next::Again } else { Next::After(PRUNE) })
    }

    /// Other workers may have been told otherwise, so each does this that is to.
    pub(super) async fn prune_schedules(&self) -> Result<()> {
        if self.engine.prunes_schedules {
            for schedule in self.engine.session.prune_schedules(GRACE).await? {
                tracing::info!(schedule, "an orphaned schedule was deleted");
            }
        }
        Ok(())
    }
}

impl Service for Pruner {
    const NAME: &'static str = "pruner";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        if self.more {
            return self.step().await;
        }
        self.prune_schedules().await?;
        if self.engine.session.tidy().await? { self.step().await } else { Ok(Next::After(PRUNE)) }
    }
}
