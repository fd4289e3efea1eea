//! What this worker may start by the limits of its tasks, counted in memory.
//!
//! A limit without a key is a pool of units ([`pgq_core::limit`]): attempts at once, or the tokens of a rate. A worker has some
//! of each pool and counts them down without a statement. The [`Negotiator`](super::negotiator::Negotiator) gets more and gives back.
//!
//! ```text
//!             a claim found a job of a task             somebody starves: down to an even part,
//!             whose pool has nothing left here          as attempts end
//!   no units ───────────────▶ waits ──────▶ has units ─────────────▶ fewer units
//!      ▲                            (told by who gave)  │
//!      └────────────────────────────────────────────────┘
//!                nothing was started of it for a second
//! ```
//!
//! Units that run nothing, and that no claim in flight may win something with, go to others by two things: what the pool knows of
//! those who wait ([`Owed`](crate::backend::Owed), the rows), and what this worker could do with them
//! ([`Prospect`](super::pool::Prospect), the columns: start jobs; start one once something else has come that it has asked for;
//! nothing, as something else holds up all their tasks; nothing, as the last claim found no job).
//!
//! | | open | needed | held up | spare |
//! |---|---|---|---|---|
//! | nothing: nobody waits | used | kept | kept | kept |
//! | spare: others wait | used | kept | given after a hold | given |
//! | beyond `n`: others have less than an even part | beyond `n` given | beyond `n` given | beyond `n` given, all after a hold | given |
//! | beyond none: fewer units than workers | given after a turn of 20 ms | kept | given after a hold | given |
//! | excess: more are out than may be, or nobody knows yet | given | given | given | given |
//!
//! Of a rate a turn is 20 ms with a token that nobody takes and else five seconds, and what a claim found nothing for counts as open.
//! Where notices don't reach workers a turn is five seconds, as it takes up to one to be heard. What nothing was started with for a
//! second goes back in any case, unless it is needed, held or a rate that fills.
//!
//! Of the pools of a task a worker waits for one at a time, in one order everywhere: the task's own first, which nobody else could use
//! meanwhile, and rates before others. But where the first of two that tasks share can be had and the second can't ([`order`]).
//! What comes after the one that is missing isn't asked for, and is others' at once. Of what comes
//! before it a task's own is held for half a minute: whoever else has what is missing, and not this, gives that to who waits. What tasks
//! share is held for 100 ms, and for twice as long each time that this was in vain, up to 0.4 s. Chance takes up to a quarter off that, as
//! workers that keep step would pass units to and fro for ever. A unit that has come has its turn once a claim made with it was answered,
//! if that takes no longer than a second; so has a place that was kept for something else, from when that has come. A pool is needed
//! only while an answer is awaited that may bring what is missing, or while it is saved for a task that others pass by ([`saving`]), so
//! nobody keeps one thing for ever while another keeps the other. A
//! worker all of whose slots are taken keeps nothing that it could only start later ([`crowd`]), who leaves nothing that doesn't run
//! ([`parting`]).
//!
//! Statements are saved where they would change little. A wish for more of what a worker has some of stands for five seconds after it
//! can't be used just now, as it could be with the next token; of what it has none of it is taken back at once, as it makes others give.
//! Who gives a place back as its turn is over says with that that it waits for the next one. A place that came is there with the look
//! that shows it; tokens have to be fetched. Whom an answer brings nothing that the last claim didn't know of makes no claim. Nor does
//! anybody wait any longer with what comes before something that turns out to have no job: it would go round among all of them.
//!
//! Wants whose pool is used up aren't claimed at all, so a backlog that is blocked costs a claim nothing. One whose pool has
//! no units here, and isn't waited for, is only looked for ("is there something?").
//!
//! When the next token of a rate comes is known only to who has units of it. Whoever has to wait for it for two seconds or longer tells
//! (`Work::foretell`), for operators: once for each start, and where its units or the rate have changed. It is one statement; of
//! a rate that is faster for its holder there is none. What was told of other units or another rate is forgotten.
//!
//! A limit says which tasks share it, so that a worker whose code doesn't name it is bound by it too. Where something comes to be
//! bounded that wasn't, each worker says what it runs of it (`Portion::awaits`): who waits for that
//! asks again when those who live are awaited no longer, which nobody is told of. What a claim wins that is on its way then, or when
//! more comes to be out than may be, or a rate is lowered, isn't started, but handed back. A worker that has looked at a pool since it
//! asked for some of it goes by what it has seen, whatever the answer says: that may be older. Who waits, and sees that the pool
//! doesn't know that, asks again: a limit that was gone for a moment has forgotten its shares.
//!
//! | Who dies | What follows |
//! |---|---|
//! | a worker that has units | they are others' once it is declared gone, which is when its jobs are; those of a rate are empty then, unless it said before it left what was in them ([`parting`]) |
//! | a worker that waits | the units that it was given meanwhile go on with those that it had |
//! | a worker that waits, and is stopped or cut off | nothing is given to it from the second beat on that it misses; others use all there is; it is told of what is free (`Portion::passed_over`), and once it beats again asks again (`Ask::unheard`) |
//! | the one who tells | he tells with his commit, or hasn't done anything; whoever hears nothing looks once a second |
//! | the database | what is counted stands, and is asked for again |
//!
//! **Which declaration counts** where the code of workers disagrees is as with schedules (`ticker.rs`): of the sets that live workers
//! have and that speak of a limit, the one whose first worker came last. A worker that finds anything else of its tasks, also a limit that
//! it doesn't know of, looks again every ten seconds, and puts in what its code says once the newer ones have left. Which tasks share a
//! limit say all these sets together, as they may be of several programs; of a task the last one that has it and the limit.

pub(super) mod crowd;
mod offer;
mod order;
pub(super) mod parting;
mod saving;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::order::Wait;
use self::saving::Savings;
use super::pool::{IDLE, Pool, Room, SLICE, TURN};
use super::service::Signal;
use crate::Result;
use crate::backend::{Ask, Measure, NextToken, PoolName, PoolView, Portion, Session};
use crate::platform::{Clock, Platform};
use crate::task::TaskEntry;

#[derive(Debug)]
pub(super) struct Limits {
    state: Mutex<State>,
    clock: Clock,
    platform: Platform,
    /// There is something to ask the backend for.
    pub(super) ask: Signal,
    /// It has answered, or a look shows more.
    pub(super) answered: Signal,
    /// Somebody has called: a look is due.
    news: AtomicBool,
    /// There is room that there wasn't.
    stir: Signal,
}

#[derive(Debug, Default)]
struct State {
    pools: Vec<Pool>,
    /// The pools of each task, by its names.
    of_task: HashMap<&'static str, Vec<usize>>,
    /// All that the worker runs, with the name that limits go by.
    tasks: HashMap<&'static str, &'static str>,
    /// The limits with a key that each task declares, by its names.
    keyed: HashMap<&'static str, Vec<String>>,
    /// Those of them that bound how many attempts run at once, as of the last look.
    counted: HashSet<Arc<str>>,
    /// How many attempts run of each of these, for pools that come to be meanwhile.
    running: HashMap<&'static str, u32>,
    /// As many as the worker could use of any pool.
    slots: u32,
    /// Pools that don't concern this worker, of which it has to say so until it is answered.
    foreign: Vec<(PoolName, Ask)>,
    /// How often something has come to be bounded that wasn't.
    era: u64,
    /// How often the backend has answered.
    answers: u64,
    /// Tasks of which there was a job and no room for it here, when all slots were taken.
    missed: HashSet<&'static str>,
    /// Those of which something was missing, while others may have used what there was of the rest.
    passed: HashSet<&'static str>,
    /// Those of which the last claim that could have won one, or looked for one, found no job.
    idle: HashSet<&'static str>,
    /// Those that something was held for in vain, by the name that limits go by.
    waits: HashMap<&'static str, Wait>,
    /// What others could use is saved for tasks that they pass by.
    savings: Savings,
    /// All slots are taken.
    full: bool,
    /// Nothing is started any more.
    leaving: bool,
    /// For how long one unit that others wait for stays here.
    slice: Duration,
}

impl Limits {
    /// Those that the tasks declare; others are heard of from the backend.
    pub(super) fn of(tasks: &[TaskEntry], slots: usize, platform: &Platform, stir: Signal) -> Self {
        let clock = platform.clock.clone();
        let mut state = State { slots: u32::try_from(slots).unwrap_or(u32::MAX), slice: SLICE, ..State::default() };
        for task in tasks {
            for name in task.aliases.iter().chain([&task.name]) {
                state.tasks.insert(name, task.name);
            }
            let (keyed, others): (Vec<_>, _) =
                super::registration::limits_of(task).into_iter().partition(|limit| limit.keyed);
            for name in task.aliases.iter().chain([&task.name]) {
                state.keyed.insert(name, keyed.iter().map(|limit| limit.name.clone()).collect());
            }
            for limit in others {
                for measure in Measure::ALL.into_iter().filter(|measure| measure.cap(limit.bounds).is_some()) {
                    let pool = state.pool(&PoolName { limit: limit.name.as_str().into(), measure }, &clock);
                    state.bind(task.name, pool);
                }
            }
            if let Some(most) = task.options.per_worker() {
                state.pools.push(Pool::new(None, Some(most), &clock));
                state.bind(task.name, state.pools.len() - 1);
            }
        }
        state.sort();
        let (ask, answered, news) = (Signal::new(), Signal::new(), AtomicBool::new(false));
        Self { state: Mutex::new(state), clock, platform: platform.clone(), ask, answered, news, stir }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether attempts of this task are counted while they run.
    pub(super) fn counts(&self, task: &str) -> bool {
        self.with(|state| {
            let mut pools = state.of_task.get(task).into_iter().flatten().map(|pool| &state.pools[*pool]);
            let mut keyed = state.keyed.get(task).into_iter().flatten();
            pools.any(|pool| pool.name.is_some() && !pool.is_rate() && pool.cap.is_some())
                || keyed.any(|limit| state.counted.contains(limit.as_str()))
        })
    }

    /// Attempts of the task of this name have ended, so many.
    pub(super) fn ended(&self, task: &str) {
        let (ask, stir) = self.with(|state| {
            let (mut ask, mut stir) = (false, false);
            let State { pools, of_task, tasks, running, .. } = state;
            if let Some(running) = tasks.get(task).and_then(|name| running.get_mut(name)) {
                *running = running.saturating_sub(1);
            }
            for pool in of_task.get(task).into_iter().flatten() {
                let pool = &mut pools[*pool];
                if pool.is_rate() {
                    continue;
                }
                pool.held = pool.held.saturating_sub(1);
                pool.used = self.clock.mark();
                ask |= pool.owes();
                stir |= matches!(pool.room(), Room::Some(_)) && std::mem::take(&mut pool.tight);
            }
            (ask, stir)
        });
        if ask {
            self.ask.raise();
        }
        if stir {
            self.stir.raise();
        }
    }

    /// What to say to the backend.
    pub(super) fn asks(&self) -> Vec<(PoolName, Ask)> {
        self.with(|state| {
            let slots = state.slots;
            let mut asks = state.foreign.clone();
            state.fill(&self.clock);
            let mut in_vain = Vec::new();
            for (place, pool) in state.pools.iter_mut().enumerate() {
                let before = pool.vain;
                if let Some(name) = pool.name.clone()
                    && let Some(ask) = pool.ask(slots)
                {
                    asks.push((name, ask));
                }
                in_vain.extend((pool.vain > before).then_some(place));
            }
            for place in in_vain {
                state.was_held_in_vain(place);
            }
            asks
        })
    }

    /// What the backend answers.
    pub(super) fn take(&self, portions: Vec<(PoolName, Portion)>) {
        let more = self.with(|state| {
            state.answers += 1;
            for (name, portion) in portions {
                state.foreign.retain(|(foreign, _)| *foreign != name);
                let Some(pool) = state.place(&name) else { continue };
                state.pools[pool].fill(&self.clock);
                state.pools[pool].take(portion, &self.clock);
            }
            state.has_more()
        });
        self.answered.raise();
        if more {
            self.stir.raise();
        }
    }

    /// Whether notices reach this worker and those to whom it hands on.
    pub(super) fn hear_by(&self, hears: bool) {
        self.with(|state| {
            let slice = if hears { SLICE } else { TURN };
            state.slice = slice;
            state.pools.iter_mut().for_each(|pool| pool.slice = slice);
        });
    }

    /// This worker was silent: others were given what it waits for, and don't hear any more that it does.
    pub(super) fn say_again(&self) {
        let waits = self.with(|state| state.pools.iter_mut().fold(false, |any, pool| pool.say_again() | any));
        if waits {
            self.ask.raise();
        }
    }

    /// When the next tokens of slow rates come, as far as that isn't told yet.
    pub(super) fn foreseen(&self) -> Vec<(PoolName, NextToken)> {
        self.with(|state| {
            state.fill(&self.clock);
            let tokens = state.pools.iter_mut().filter_map(|pool| {
                let token = pool.foresees()?;
                pool.untold = false;
                Some((pool.name.clone()?, token))
            });
            tokens.collect()
        })
    }

    /// It is open what of that was heard.
    pub(super) fn unsay(&self) {
        self.with(|state| state.pools.iter_mut().for_each(|pool| pool.untold = true));
    }

    /// Looks at the pools.
    pub(super) async fn look(&self, session: &dyn Session) -> Result<Vec<PoolView>> {
        let answers = self.with(|state| state.answers);
        let views = session.pools().await?;
        self.see(&views, answers);
        Ok(views)
    }

    /// What a look at the pools shows that was begun after so many answers.
    fn see(&self, views: &[PoolView], answers: u64) {
        let room = self.with(|state| {
            let is_newest = state.answers == answers;
            let mut room = state.forget(views);
            state.foreign.clear();
            let bounds_attempts = |view: &&PoolView| {
                view.keyed && view.pool.measure == Measure::Concurrency && view.portion.cap.is_some()
            };
            state.counted = views.iter().filter(bounds_attempts).map(|view| Arc::clone(&view.pool.limit)).collect();
            for view in views.iter().filter(|view| !view.keyed) {
                let Some(pool) = state.known(view, &self.clock) else {
                    if view.portion.awaits.is_some() {
                        let nothing = Ask { keep: u32::MAX, begun: view.portion.begun, ..Ask::default() };
                        state.foreign.push((view.pool.clone(), nothing));
                    }
                    continue;
                };
                let State { pools, era, .. } = &mut *state;
                let (pool, portion) = (&mut pools[pool], &view.portion);
                room |= pool.cap != portion.cap;
                if pool.cap.is_none() && portion.cap.is_some() {
                    *era += 1;
                    pool.era = *era;
                }
                let rate = pool.bucket.as_ref().map(|(bucket, _)| bucket.rate());
                // What it has of it is told, with its tokens, when it asks.
                let is_other = rate.is_some_and(|rate| Some(rate) != portion.rate);
                pool.stale |= portion.awaits.is_some() || is_other;
                pool.outdated |= pool.is_rate() && (is_other || pool.units > portion.units);
                pool.sees(portion.units, is_newest, &self.clock);
                // A limit that was gone for a moment has forgotten who waits.
                pool.stale |= portion.passed_over || portion.wish.max(portion.units) != pool.wished.max(pool.units);
                pool.untold |= is_other;
                (pool.cap, pool.owed, pool.begun, pool.seen) = (portion.cap, portion.owed, portion.begun, true);
                if portion.cap.is_none() {
                    pool.lift();
                } else if portion.awaits.is_some() {
                    // What it had before nothing bounded it isn't its any more.
                    pool.units = pool.units.min(portion.units);
                }
            }
            room | state.has_more()
        });
        if room {
            self.answered.raise();
            self.stir.raise();
        }
    }

    /// Somebody else has changed something that concerns this worker.
    pub(super) fn call(&self) {
        self.news.store(true, Ordering::SeqCst);
        self.ask.raise();
    }

    /// Whether somebody has called since the last time.
    pub(super) fn hear(&self) -> bool {
        self.news.swap(false, Ordering::SeqCst)
    }

    /// How long until the next look at what to say; `None` where there is nothing to look at.
    pub(super) fn due(&self) -> Option<Duration> {
        self.with(|state| {
            let named = state.pools.iter().any(|pool| pool.name.is_some());
            named.then(|| state.due().unwrap_or(IDLE).min(IDLE))
        })
    }

    /// How long until this worker gives something back, unless something happens before.
    pub(super) fn next(&self) -> Option<Duration> {
        self.with(|state| state.due())
    }
}

impl State {
    fn fill(&mut self, clock: &Clock) {
        self.pools.iter_mut().for_each(|pool| pool.fill(clock));
    }

    fn bind(&mut self, task: &'static str, pool: usize) {
        let names: Vec<_> = self.tasks.iter().filter(|(_, name)| **name == task).map(|(name, _)| *name).collect();
        for name in names {
            let pools = self.of_task.entry(name).or_default();
            if !pools.contains(&pool) {
                pools.push(pool);
            }
        }
    }

    /// The place of a pool, a new one where it wasn't known.
    fn pool(&mut self, name: &PoolName, clock: &Clock) -> usize {
        self.place(name).unwrap_or_else(|| {
            // Until the backend has said what there is, there is nothing.
            let (leaving, slice) = (self.leaving, self.slice);
            self.pools.push(Pool { slice, leaving, ..Pool::new(Some(name.clone()), Some(0), clock) });
            self.pools.len() - 1
        })
    }

    fn place(&self, name: &PoolName) -> Option<usize> {
        self.pools.iter().position(|pool| pool.name.as_ref() == Some(name))
    }

    /// The place of a pool that concerns this worker: one that its code names, or that somebody else has set for a task of its, or
    /// declared for one.
    fn known(&mut self, view: &PoolView, clock: &Clock) -> Option<usize> {
        let own = view.pool.limit.strip_prefix("task:");
        let is_meant = |task: &&str| own == Some(*task) || view.sharers.iter().any(|sharer| sharer == task);
        let meant: BTreeSet<&'static str> = self.tasks.values().copied().filter(|task| is_meant(task)).collect();
        let place = self.place(&view.pool);
        if place.is_none() && meant.is_empty() {
            return None;
        }
        let pool = place.unwrap_or_else(|| {
            let pool = self.pool(&view.pool, clock);
            self.pools[pool].cap = None;
            pool
        });
        for task in meant {
            self.join(task, pool);
        }
        Some(pool)
    }

    /// The pool bounds this task too, if it hasn't yet.
    fn join(&mut self, task: &'static str, pool: usize) {
        if self.of_task.get(task).is_some_and(|pools| pools.contains(&pool)) {
            return;
        }
        self.era += 1;
        self.pools[pool].era = self.era;
        if !self.pools[pool].is_rate() {
            self.pools[pool].held += self.running.get(task).copied().unwrap_or_default();
        }
        self.bind(task, pool);
        self.sort();
    }

    fn has_more(&mut self) -> bool {
        self.pools.iter_mut().fold(false, |more, pool| pool.has_more() | more)
    }

    fn due(&self) -> Option<Duration> {
        self.pools.iter().filter_map(Pool::due).min()
    }

    /// Pools that there are none of any more bound nothing; whether there are such.
    fn forget(&mut self, views: &[PoolView]) -> bool {
        let mut any = false;
        for pool in &mut self.pools {
            let Some(name) = &pool.name else { continue };
            if pool.cap.is_some() && !views.iter().any(|view| view.pool == *name) {
                pool.lift();
                any = true;
            }
        }
        any
    }
}
