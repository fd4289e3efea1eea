//! Schedules: every worker looks at all of them, and whoever comes first makes the job of a tick.
//!
//! A schedule's row says what it is and where it stands, so any worker can fire it, also one that doesn't know its task. A look
//! decides by what it saw ([`plan`]), and the backend writes that only if the row still stands there, together with the jobs:
//!
//! | Who dies | What follows |
//! |---|---|
//! | a worker before its commit | the tick is as it was: the next look of anybody fires it |
//! | a worker after its commit | the job is there, and the next look begins behind the tick |
//! | the fleet | what was missed is told apart by time, and fired as the schedule says |
//!
//! **Which declaration wins** where the code of workers disagrees, as while two versions of a program run side by side: the set
//! of schedules that a worker declares gets a number when it is first seen, and keeps it. Of a schedule that several sets have,
//! that of the highest number counts among the sets of live workers. So a new version takes over with its first worker, and an
//! old worker that registers anew, or crashes and starts over and over, doesn't flip it back; when the last new one has left,
//! after a rollback, whoever has the highest number then puts in what it says with its next look.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::schedule::plan;
use pgq_core::{Cadence, Tick, Timestamp};

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::backend::{Agenda, Firing, Kept};

/// Makes the jobs of schedules.
pub(super) struct Ticker {
    engine: Arc<Engine>,
    /// Schedules that can't be read, told of once.
    unread: HashSet<String>,
}

/// The longest time between two looks: so long may a change of the clock, or a new schedule of another worker's, be overlooked.
const LOOK: Duration = Duration::from_secs(1);

impl Service for Ticker {
    const NAME: &'static str = "ticker";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        let agenda = self.agenda().await?;
        let mut soonest = LOOK;
        for kept in agenda.schedules.iter().filter(|kept| !kept.paused) {
            if let Some(next) = self.tick(kept, agenda.now).await? {
                soonest = soonest.min(next.since(agenda.now));
            }
        }
        Ok(Next::After(soonest))
    }
}

impl Ticker {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, unread: HashSet::new() }
    }

    /// All schedules, after what this worker says of its own counts, where it has the last word.
    async fn agenda(&self) -> Result<Agenda> {
        let (session, declared) = (&self.engine.session, &self.engine.declared);
        let agenda = session.agenda().await?;
        if !agenda.schedules.iter().any(|kept| declared.overrules(kept)) {
            return Ok(agenda);
        }
        declared.declare(&**session).await?;
        session.agenda().await
    }

    /// Does what is due of one schedule; when it ticks next.
    async fn tick(&mut self, kept: &Kept, now: Timestamp) -> Result<Option<Timestamp>> {
        let Some(cadence) = self.read(kept) else { return Ok(None) };
        let (scheduled, seen) = (&kept.scheduled, kept.standing);
        let plan = plan(&cadence, scheduled.missed, scheduled.overlap, seen, now);
        if (plan.last, plan.waiting) == (seen.last, seen.waiting) {
            return Ok(plan.next);
        }
        let befores = std::iter::once(kept.fired).chain(plan.fire.iter().copied().map(Some));
        let ticks = plan.fire.iter().zip(befores).map(|(at, previous)| Tick { at: *at, previous });
        let jobs: Vec<_> = ticks.map(|tick| scheduled.job(tick)).collect();
        let (made, name) = (jobs.len(), scheduled.name.clone());
        let firing = Firing { name, generation: kept.generation, seen, last: plan.last, waiting: plan.waiting, jobs };
        if self.engine.session.fire(firing).await? && made > 0 {
            tracing::debug!(schedule = scheduled.name, jobs = made, "schedule fired");
            self.engine.stir.raise();
        }
        Ok(plan.next)
    }

    fn read(&mut self, kept: &Kept) -> Option<Cadence> {
        let scheduled = &kept.scheduled;
        match Cadence::read(&scheduled.cadence, &scheduled.zone) {
            Ok(cadence) => Some(cadence),
            Err(error) => {
                if self.unread.insert(scheduled.name.clone()) {
                    tracing::error!(schedule = scheduled.name, %error, "a schedule can't be read, and this worker leaves it alone");
                }
                None
            }
        }
    }
}
