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
//! A look is due at the next tick, when this worker has written the end of a job that a tick made, and when a beat saw that schedules
//! have changed or a tick waits for nothing any more (`lookout.rs`). So a tick that waits for a job is fired as soon as that ends
//! here, and about a second later where another worker ended it, or an operator did.
//!
//! **Which declaration wins** where the code of workers disagrees, as while two versions of a program run side by side: the set
//! of all that a program declares, whichever of its tasks a worker runs, gets a number when it is first seen, and keeps it. Of a
//! schedule that several sets have, that of the highest number counts among the sets of live workers. So a new version takes over
//! with its first worker, and an old worker that registers anew, or crashes and starts over and over, doesn't flip it back; when
//! the last new one has left, after a rollback, whoever has the highest number then puts in what it says with its next look.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use pgq_core::schedule::{FORGOTTEN, Plan, plan};
use pgq_core::{Cadence, JobId, Overlap, Tick, Timestamp};

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::backend::{Agenda, Firing, Kept, Ticked};
use crate::error::{Error, Result};
use crate::platform::Mark;

/// Makes the jobs of schedules, where that isn't left to others, and sees to it that what this worker declares counts.
pub(super) struct Ticker {
    engine: Arc<Engine>,
    /// Those of the schedules that there are, by text and zone.
    cadences: HashMap<(String, String), Cadence>,
    /// Schedules with which something is wrong, told of once.
    told: HashSet<String>,
    /// Schedules whose last firing the backend refused, and when: they must not hold up the others.
    refused: HashMap<String, Mark>,
    /// The next tick of any, as of the last look.
    next: Option<Timestamp>,
}

/// The longest time between two looks while no beat tells of new schedules, or of a clock that was set.
const LOOK: Duration = Duration::from_secs(1);
/// Somebody else had a schedule locked, who may have fired it or not: so soon it is looked at again.
const CONTESTED: Duration = Duration::from_millis(50);
/// For how long a schedule is left alone that was refused.
const PUT_OFF: Duration = Duration::from_secs(5);
/// A clock that is set back by so much is told of, as schedules rest until it has caught up.
const SET_BACK: Duration = Duration::from_mins(1);
/// The most jobs of one step, and of one schedule in a turn.
const STEP: usize = 1_000;
/// The most bytes of arguments of one step, unless a single job has more.
const STEP_BYTES: usize = 4 << 20;

impl Service for Ticker {
    const NAME: &'static str = "ticker";

    fn signal(&self) -> Signal {
        self.engine.ticks.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        let agenda = self.agenda().await?;
        let looked = self.engine.platform.clock.mark();
        let now = (!agenda.schedules.is_empty()).then_some(agenda.now);
        self.engine.lookout.saw_schedules(agenda.mark, now, looked.clone());
        let rest = self.engine.rest(LOOK);
        if !self.engine.duties.fires() {
            return Ok(Next::After(rest));
        }
        let mut due = self.look(&agenda);
        self.next = due.next;
        let contested = self.fire(&mut due).await?;
        if due.more {
            return Ok(Next::Again);
        }
        let span = due.next.map_or(rest, |next| next.since(agenda.now)).min(rest);
        Ok(Next::After(until(span, looked.elapsed(), contested)))
    }
}

/// How long to wait for the next look, where it was due so much later when a turn began that took so long.
fn until(next: Duration, took: Duration, contested: bool) -> Duration {
    let rest = next.saturating_sub(took);
    if contested { rest.min(CONTESTED) } else { rest }
}

/// What a look at all schedules comes to.
#[derive(Default)]
struct Due {
    /// Each with the bytes of its arguments.
    firings: Vec<(Firing, usize)>,
    /// By schedule, why a tick makes no job, and the one that is in its way.
    passed_over: HashMap<String, (&'static str, Option<JobId>)>,
    /// When the next one ticks.
    next: Option<Timestamp>,
    /// One of them has more to fire than goes into a step.
    more: bool,
}

impl Due {
    /// What is to be fired, in parts that are bounded by jobs and bytes.
    fn steps(&mut self) -> Vec<Vec<Firing>> {
        let (mut steps, mut jobs, mut bytes) = (vec![], usize::MAX, usize::MAX);
        for (firing, size) in mem::take(&mut self.firings) {
            let count = firing.ticks.len().max(1);
            (jobs, bytes) = (jobs.saturating_add(count), bytes.saturating_add(size));
            if jobs > STEP || bytes > STEP_BYTES {
                (jobs, bytes) = (count, size);
                steps.push(Vec::new());
            }
            if let Some(step) = steps.last_mut() {
                step.push(firing);
            }
        }
        steps
    }
}

impl Ticker {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let (cadences, told, refused) = (HashMap::new(), HashSet::new(), HashMap::new());
        Self { engine, cadences, told, refused, next: None }
    }

    /// The next tick of any schedule, as of the last turn.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// All schedules, after what this worker says of its own counts, where it has the last word.
    async fn agenda(&mut self) -> Result<Agenda> {
        let engine = Arc::clone(&self.engine);
        let (session, declared) = (&engine.session, &engine.declared);
        let agenda = session.agenda().await?;
        for kept in agenda.schedules.iter().filter(|kept| declared.gives_way_to(kept)) {
            self.warn(
                &kept.scheduled.name,
                "a schedule of this name was created at run time, and the code's counts nothing beside it",
            );
        }
        if !declared.disagrees(&agenda.schedules) {
            return Ok(agenda);
        }
        declared.declare(&**session).await?;
        session.agenda().await
    }

    fn warn(&mut self, schedule: &str, message: &'static str) {
        if self.told.insert(schedule.to_owned()) {
            tracing::warn!(schedule, "{message}");
        }
    }

    fn look(&mut self, agenda: &Agenda) -> Due {
        self.refused.retain(|_, since| since.elapsed() < PUT_OFF);
        for name in &agenda.unread {
            self.warn(name, "a schedule can't be read, and this worker leaves it alone: another version wrote it");
        }
        let mut known = mem::take(&mut self.cadences);
        let mut due = Due::default();
        for kept in agenda.schedules.iter().filter(|kept| kept.paused.is_none()) {
            self.tell_of_the_clock(kept, agenda.now);
            let key = (kept.scheduled.cadence.clone(), kept.scheduled.zone.clone());
            let read = known.remove(&key).or_else(|| self.cadences.get(&key).cloned()).or_else(|| self.read(kept));
            if let Some(cadence) = read {
                self.decide(kept, &cadence, agenda.now, &mut due);
                self.cadences.insert(key, cadence);
            }
        }
        due
    }

    fn tell_of_the_clock(&mut self, kept: &Kept, now: Timestamp) {
        let (schedule, last) = (&kept.scheduled.name, kept.standing.last);
        if (SET_BACK..=FORGOTTEN).contains(&last.since(now)) && self.told.insert(schedule.clone()) {
            tracing::warn!(schedule, %last, "the clock was set back: this schedule ticks again when it has caught up");
        }
    }

    fn read(&mut self, kept: &Kept) -> Option<Cadence> {
        let scheduled = &kept.scheduled;
        match Cadence::read(&scheduled.cadence, &scheduled.zone) {
            Ok(cadence) => Some(cadence),
            Err(error) => {
                if self.told.insert(scheduled.name.clone()) {
                    tracing::error!(schedule = scheduled.name, %error, "a schedule can't be read, and this worker leaves it alone");
                }
                None
            }
        }
    }

    /// What is due of one schedule, and when it ticks next.
    fn decide(&self, kept: &Kept, cadence: &Cadence, now: Timestamp, due: &mut Due) {
        let (scheduled, seen) = (&kept.scheduled, kept.standing);
        let plan = plan(cadence, scheduled.missed, scheduled.overlap, seen, now);
        due.next = due.next.into_iter().chain(plan.next).min();
        if (plan.last, plan.waiting) == (seen.last, seen.waiting) || self.refused.contains_key(&scheduled.name) {
            return;
        }
        let (plan, is_part) = plan.part(STEP.min(STEP_BYTES / kept.size.max(1)).max(1));
        due.more |= is_part;
        if plan.fire.is_empty() {
            due.passed_over.insert(scheduled.name.clone(), (reason(kept), kept.job.filter(|_| seen.busy)));
        }
        let ticks = self.admitted(kept, &plan);
        let (name, bytes) = (scheduled.name.clone(), ticks.len() * kept.size);
        let (generation, last, waiting) = (kept.generation, plan.last, plan.waiting);
        due.firings.push((Firing { name, generation, seen, last, waiting, ticks }, bytes));
    }

    /// The ticks whose jobs pass what the client asks of all. One that doesn't is accounted for like any other.
    fn admitted(&self, kept: &Kept, plan: &Plan) -> Vec<Ticked> {
        let mut ticks: Vec<Ticked> = Vec::with_capacity(plan.fire.len());
        for at in &plan.fire {
            let previous = ticks.last().map(|ticked| ticked.tick.at).or(kept.fired);
            let tick = Tick { schedule: kept.scheduled.name.clone(), at: *at, previous };
            let mut job = kept.scheduled.job(tick.clone());
            // It is without its arguments, which nobody asks for. A panic would keep all the others from ticking.
            match catch_unwind(AssertUnwindSafe(|| self.engine.client.admit(&mut job))) {
                Ok(Ok(())) => ticks.push(Ticked { tick, headers: job.headers }),
                Ok(Err(error)) => tracing::warn!(schedule = kept.scheduled.name, %at, ?error, "a tick makes no job"),
                Err(_) => {
                    tracing::error!(schedule = kept.scheduled.name, %at, "a tick makes no job: the client's `on_enqueue` panicked");
                }
            }
        }
        ticks
    }

    /// Fires what is due, the rest also where the backend refuses one of them; whether somebody else had one locked.
    async fn fire(&mut self, due: &mut Due) -> Result<bool> {
        let (mut left, mut contested, mut refusal) = (due.steps(), false, Ok(()));
        while let Some(step) = left.pop() {
            match self.engine.session.fire(step.clone()).await {
                Ok(fired) => contested |= self.fired(&step, &fired, due),
                Err(error) if error.is_unconnected() => return Err(error),
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

    fn fired(&self, step: &[Firing], fired: &[bool], due: &Due) -> bool {
        let stand = || step.iter().zip(fired).filter(|(_, fired)| **fired).map(|(firing, _)| firing);
        for Firing { name, last, .. } in stand() {
            if let Some((reason, job)) = due.passed_over.get(name) {
                let job = job.map(tracing::field::display);
                tracing::info!(schedule = name, tick = %last, job, "a tick makes no job: {reason}");
            }
        }
        let jobs: usize = stand().map(|firing| firing.ticks.len()).sum();
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
}

/// Why a tick makes no job.
fn reason(kept: &Kept) -> &'static str {
    match kept.scheduled.overlap {
        Overlap::Queue if kept.standing.busy => "it waits for an earlier one's, which isn't finished",
        Overlap::Skip if kept.standing.busy => "an earlier one's isn't finished",
        _ => "it was missed",
    }
}

#[cfg(test)]
mod tests {
    use pgq_core::Headers;
    use pgq_core::schedule::Standing;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_a_turn_takes_is_gone_from_the_time_until_the_next_tick() {
        for ((next, took, contested), wait) in [
            ((millis(1_000), millis(0), false), millis(1_000)),
            ((millis(900), millis(300), false), millis(600)),
            ((millis(900), millis(1_300), false), millis(0)),
            ((Duration::from_hours(1), millis(200), true), CONTESTED),
            ((millis(40), millis(10), true), millis(30)),
        ] {
            assert_eq!(until(next, took, contested), wait, "{next:?} {took:?} {contested}");
        }
    }

    fn firing(jobs: usize) -> Firing {
        let seen = Standing { last: Timestamp::EPOCH, waiting: None, busy: false };
        let tick = Tick { schedule: String::new(), at: Timestamp::EPOCH, previous: None };
        let ticks = vec![Ticked { tick, headers: Headers::new() }; jobs];
        Firing { name: String::new(), generation: 0, seen, last: Timestamp::EPOCH, waiting: None, ticks }
    }

    #[test]
    fn a_step_is_bounded_by_jobs_and_bytes() {
        let steps = |firings: &[(usize, usize)]| {
            let firings = firings.iter().map(|(jobs, bytes)| (firing(*jobs), *bytes)).collect();
            let steps = Due { firings, ..Due::default() }.steps();
            steps.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(steps(&[]), [0; 0]);
        assert_eq!(steps(&[(1, 1); 1_001]), [1_000, 1]);
        assert_eq!(steps(&[(0, 0); 1_001]), [1_000, 1], "those that make no job count too");
        assert_eq!(steps(&[(1, STEP_BYTES / 4); 6]), [4, 2]);
        assert_eq!(steps(&[(1, 1), (1, STEP_BYTES * 9), (1, 1)]), [1, 1, 1]);
        assert_eq!(steps(&[(600, 1), (600, 1), (400, 1)]), [1, 2]);
    }
}
