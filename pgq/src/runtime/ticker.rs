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

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::schedule::plan;
use pgq_core::{Cadence, Headers, Tick, Timestamp};

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::backend::{Agenda, Firing, Kept, Ticked};
use crate::error::{Error, Kind, Result};
use crate::platform::Mark;

/// Makes the jobs of schedules.
pub(super) struct Ticker {
    engine: Arc<Engine>,
    /// Schedules that can't be read, told of once.
    unread: HashSet<String>,
    /// Schedules whose last firing the backend refused, and when: they must not hold up the others.
    refused: HashMap<String, Mark>,
}

/// The longest time between two looks: so long may a change of the clock, or a new schedule of another worker's, be overlooked.
const LOOK: Duration = Duration::from_secs(1);
/// Somebody else had a schedule locked, who may have fired it or not: so soon it is looked at again.
const CONTESTED: Duration = Duration::from_millis(50);
/// For how long a schedule is left alone that was refused.
const PUT_OFF: Duration = Duration::from_secs(5);
/// The most jobs of one step, and of one schedule in a turn.
const STEP: usize = 1_000;
/// The most bytes of arguments of one step, unless a single job has more.
const STEP_BYTES: usize = 4 << 20;

impl Service for Ticker {
    const NAME: &'static str = "ticker";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        let agenda = self.agenda().await?;
        let looked = self.engine.platform.clock.mark();
        self.refused.retain(|_, since| since.elapsed() < PUT_OFF);
        let mut due = Due::default();
        for kept in agenda.schedules.iter().filter(|kept| !kept.paused) {
            self.look(kept, agenda.now, &mut due);
        }
        let contested = self.fire(due.steps()).await?;
        if due.more {
            return Ok(Next::Again);
        }
        let soonest = due.next.map_or(LOOK, |next| next.since(agenda.now)).min(LOOK);
        // What the turn took is gone from the time until the next tick.
        let soonest = soonest.saturating_sub(looked.elapsed());
        Ok(Next::After(if contested { soonest.min(CONTESTED) } else { soonest }))
    }
}

/// What a look at all schedules comes to.
#[derive(Default)]
struct Due {
    /// Each with the bytes of its arguments.
    firings: Vec<(Firing, usize)>,
    /// When the next one ticks.
    next: Option<Timestamp>,
    /// One of them has more to fire than goes into a step.
    more: bool,
}

impl Due {
    fn tick_at(&mut self, next: Option<Timestamp>) {
        self.next = self.next.into_iter().chain(next).min();
    }

    /// In parts that are bounded by jobs and bytes.
    fn steps(&mut self) -> Vec<Vec<Firing>> {
        let (mut steps, mut jobs, mut bytes) = (vec![], usize::MAX, usize::MAX);
        for (firing, size) in mem::take(&mut self.firings) {
            jobs = jobs.saturating_add(firing.ticks.len().max(1));
            bytes = bytes.saturating_add(size);
            if jobs > STEP || bytes > STEP_BYTES {
                (jobs, bytes) = (firing.ticks.len().max(1), size);
                steps.push(Vec::new());
            }
            steps.last_mut().into_iter().for_each(|step| step.push(firing.clone()));
        }
        steps
    }
}

impl Ticker {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, unread: HashSet::new(), refused: HashMap::new() }
    }

    /// All schedules, after what this worker says of its own counts, where it has the last word.
    async fn agenda(&self) -> Result<Agenda> {
        let (session, declared) = (&self.engine.session, &self.engine.declared);
        let agenda = session.agenda().await?;
        if !declared.disagrees(&agenda.schedules) {
            return Ok(agenda);
        }
        declared.declare(&**session).await?;
        session.agenda().await
    }

    /// What is due of one schedule, and when it ticks next.
    fn look(&mut self, kept: &Kept, now: Timestamp, due: &mut Due) {
        let Some(cadence) = self.read(kept) else { return };
        let (scheduled, seen) = (&kept.scheduled, kept.standing);
        let plan = plan(&cadence, scheduled.missed, scheduled.overlap, seen, now);
        due.tick_at(plan.next);
        if (plan.last, plan.waiting) == (seen.last, seen.waiting) || self.refused.contains_key(&scheduled.name) {
            return;
        }
        let (plan, is_part) = plan.part(STEP.min(STEP_BYTES / kept.size.max(1)).max(1));
        due.more |= is_part;
        let befores = std::iter::once(kept.fired).chain(plan.fire.iter().copied().map(Some));
        let ticks = plan.fire.iter().zip(befores).map(|(at, previous)| Tick { at: *at, previous });
        let ticks: Vec<_> = ticks.map(|tick| Ticked { tick, headers: Headers::new() }).collect();
        let (name, bytes) = (scheduled.name.clone(), ticks.len() * kept.size);
        let (generation, last, waiting) = (kept.generation, plan.last, plan.waiting);
        due.firings.push((Firing { name, generation, seen, last, waiting, ticks }, bytes));
    }

    /// Fires what is due, the rest also where the backend refuses one of them; whether somebody else had one locked.
    async fn fire(&mut self, steps: Vec<Vec<Firing>>) -> Result<bool> {
        let (mut left, mut contested, mut refusal) = (steps, false, Ok(()));
        while let Some(step) = left.pop() {
            match self.engine.session.fire(step.clone()).await {
                Ok(fired) => contested |= self.fired(&step, &fired),
                Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                // Halved until the one that is refused is alone.
                Err(error) => match step.split_at(step.len() / 2) {
                    ([], rest) => {
                        self.refused(rest, &error);
                        refusal = refusal.and(Err(error));
                    }
                    (first, rest) => left.extend([first.to_vec(), rest.to_vec()]),
                },
            }
        }
        refusal.map(|()| contested)
    }

    fn fired(&self, step: &[Firing], fired: &[bool]) -> bool {
        let jobs: usize =
            step.iter().zip(fired).filter(|(_, fired)| **fired).map(|(firing, _)| firing.ticks.len()).sum();
        if jobs > 0 {
            tracing::debug!(jobs, "schedules fired");
            self.engine.stir.raise();
        }
        fired.contains(&false)
    }

    fn refused(&mut self, step: &[Firing], error: &Error) {
        if !error.is_refusal() {
            return;
        }
        for Firing { name, .. } in step {
            tracing::error!(schedule = name, ?error, "a schedule's jobs are refused, and it is put off");
            self.refused.insert(name.clone(), self.engine.platform.clock.mark());
        }
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
