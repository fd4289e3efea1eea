//! What this worker may start by the limits of its tasks, counted in memory.
//!
//! A limit without a key is a pool of units ([`pgq_core::limit`]): attempts at once, or the tokens of a rate. A worker has some
//! of each pool and counts them down without a statement. The [`Sharer`](super::sharer::Sharer) gets more and gives back.
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
//! Wants whose pool is used up aren't claimed at all, so a backlog that is blocked costs a claim nothing. One whose pool has
//! no units here, and isn't waited for, is only looked for ("is there something?").
//!
//! | Who dies | What follows |
//! |---|---|
//! | a worker that has units | they are others' once it is declared gone, which is when its jobs are |
//! | a worker that waits | the units that it was given meanwhile go on with those that it had |
//! | the one who tells | who waits looks once a second |
//! | the database | what is counted stands, and is asked for again |

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgq_core::limit::Bucket;

use super::service::Signal;
use crate::backend::{Ask, Group, Measure, PoolName, PoolView, Portion, Want};
use crate::platform::{Clock, Mark};
use crate::task::TaskEntry;

/// Units of which nothing was started for so long go back.
const IDLE: Duration = Duration::from_secs(1);
/// For how long one unit that others wait for stays where it is, so that short jobs don't pay a statement each.
const SLICE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Limits {
    state: Mutex<State>,
    clock: Clock,
    /// There is something to ask the backend for.
    pub(super) ask: Signal,
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
    /// How many attempts run of each of these, for pools that come to be meanwhile.
    running: HashMap<&'static str, u32>,
    /// As many as the worker could use of any pool.
    slots: u32,
}

#[derive(Debug)]
struct Pool {
    /// `None` for what one worker counts by itself.
    name: Option<PoolName>,
    /// How many units there are; `None` bounds nothing.
    cap: Option<u32>,
    units: u32,
    /// Of these, what runs or a claim in flight may win.
    held: u32,
    bucket: Option<(Bucket, Mark)>,
    down_to: Option<u32>,
    /// There was a job, and no room for it.
    blocked: bool,
    /// What the backend was last asked for.
    wished: u32,
    /// What the backend has isn't what was last heard of it.
    stale: bool,
    /// Somebody was turned away for want of room here.
    tight: bool,
    /// The last use of it.
    used: Mark,
    /// Since when it has had the units that it has.
    since: Mark,
}

/// What there is of a pool just now.
enum Room {
    Some(u32),
    /// None here, and more may be had.
    Elsewhere,
    /// None until something ends, arrives, or so much time has passed.
    Later(Option<Duration>),
}

impl Pool {
    fn new(name: Option<PoolName>, cap: Option<u32>, clock: &Clock) -> Self {
        let units = if name.is_none() { cap.unwrap_or(0) } else { 0 };
        Self {
            name,
            cap,
            units,
            held: 0,
            bucket: None,
            down_to: None,
            blocked: false,
            wished: 0,
            stale: false,
            tight: false,
            used: clock.mark(),
            since: clock.mark(),
        }
    }

    fn is_rate(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.measure == Measure::Rate)
    }

    fn fill(&mut self, clock: &Clock) {
        if let Some((bucket, mark)) = &mut self.bucket {
            let now = clock.mark();
            if bucket.tokens() == 0 {
                // It isn't idle while it fills.
                self.used = now.clone();
            }
            bucket.fill(mark.elapsed());
            *mark = now;
        }
    }

    /// How many units may be used, or have to be given back: the even part of one who has less than one is taken in turns.
    fn bound(&self) -> u32 {
        let part = match self.down_to {
            Some(0) if self.since.elapsed() < SLICE => self.units,
            Some(even) => self.units.min(even),
            None => self.units,
        };
        self.cap.map_or(part, |cap| part.min(cap))
    }

    fn room(&self) -> Room {
        let Some(cap) = self.cap else { return Room::Some(u32::MAX) };
        let none = || if self.blocked || self.units >= cap || cap == 0 { Room::Later(None) } else { Room::Elsewhere };
        if let Some((bucket, _)) = &self.bucket {
            return match bucket.tokens().saturating_sub(self.held) {
                0 if self.units == 0 => none(),
                0 => Room::Later(bucket.next()),
                tokens => Room::Some(tokens),
            };
        }
        match self.bound().saturating_sub(self.held) {
            0 => none(),
            room => Room::Some(room),
        }
    }

    /// What to say to the backend, where there is something to say.
    fn ask(&mut self, slots: u32) -> Option<Ask> {
        let cap = self.cap?;
        let is_idle = self.used.elapsed() >= IDLE;
        let in_use = if self.is_rate() && !is_idle { self.units } else { self.held };
        if is_idle && self.units > self.held {
            self.blocked = false;
        }
        let keep = if is_idle { in_use } else { self.bound().max(self.held) };
        // Tokens of a claim in flight are reserved where they are.
        let keep = if self.is_rate() && self.held > 0 { self.units } else { keep.min(self.units) };
        // Of a rate it could use any part.
        let most = if self.is_rate() { cap } else { slots.min(cap) };
        let wish = if self.blocked { most } else { 0 };
        let another = wish != self.wished && wish.max(self.wished) > keep;
        (keep < self.units || another || self.stale).then(|| {
            let micros = self.bucket.as_mut().map_or(0, |(bucket, _)| bucket.give(self.units - keep));
            // What others have given meanwhile isn't known here yet: it is kept, unless something is given back.
            let kept = if keep < self.units { keep } else { u32::MAX };
            // Until there is an answer it is open what was heard.
            (self.units, self.wished, self.stale) = (keep, wish, true);
            Ask { keep: kept, micros, wish }
        })
    }

    /// What the backend says. Units that came are used from now on.
    fn take(&mut self, portion: Portion, clock: &Clock) {
        self.cap = portion.cap;
        self.down_to = portion.down_to;
        self.stale = false;
        if portion.units > self.units {
            (self.used, self.since) = (clock.mark(), clock.mark());
        }
        self.blocked &= self.wished > portion.units;
        if let Some(rate) = portion.rate {
            let (bucket, _) = self.bucket.get_or_insert_with(|| (Bucket::new(rate, 0, 0), clock.mark()));
            bucket.retune(rate);
            let missing = portion.units.saturating_sub(bucket.units());
            bucket.give(bucket.units().saturating_sub(portion.units));
            bucket.receive(missing, portion.micros);
        } else {
            self.bucket = None;
        }
        self.units = portion.units;
    }

    /// How long until there may be something to say without anybody having called.
    fn due(&self) -> Option<Duration> {
        let idle = (self.units > self.held).then(|| IDLE.saturating_sub(self.used.elapsed()));
        let slice = (self.down_to == Some(0)).then(|| SLICE.saturating_sub(self.since.elapsed()));
        self.name.as_ref()?;
        idle.into_iter().chain(slice.filter(|_| self.units > self.held)).min()
    }
}

/// What a claim may ask for.
pub(super) struct Offer {
    pub(super) wants: Arc<[Want]>,
    pub(super) groups: Vec<Group>,
    /// When there is more, where only time is against it.
    pub(super) due: Option<Duration>,
    reserved: Vec<(usize, u32)>,
    limits: Arc<Limits>,
}

impl Limits {
    /// Those that the tasks declare; others are heard of from the backend.
    pub(super) fn of(tasks: &[TaskEntry], slots: usize, clock: Clock, stir: Signal) -> Self {
        let mut state = State { slots: u32::try_from(slots).unwrap_or(u32::MAX), ..State::default() };
        for task in tasks {
            for name in task.aliases.iter().chain([&task.name]) {
                state.tasks.insert(name, task.name);
            }
            for limit in super::registration::limits_of(task).into_iter().filter(|limit| !limit.keyed) {
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
        Self { state: Mutex::new(state), clock, ask: Signal::new(), news: AtomicBool::new(false), stir }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What of these may be claimed now.
    pub(super) fn offer(self: &Arc<Self>, wants: Arc<[Want]>) -> Offer {
        let none =
            |wants| Offer { wants, groups: Vec::new(), due: None, reserved: Vec::new(), limits: Arc::clone(self) };
        self.with(|state| {
            if state.pools.is_empty() {
                return none(wants);
            }
            state.pools.iter_mut().for_each(|pool| pool.fill(&self.clock));
            let mut offer = none(Arc::from([]));
            let (mut offered, mut members) = (Vec::new(), HashMap::<usize, Vec<usize>>::new());
            for want in wants.iter() {
                let Some(cap) = state.cap(want, &mut offer.due) else { continue };
                if cap > 0 {
                    for pool in state.of_task.get(&*want.task).into_iter().flatten() {
                        members.entry(*pool).or_default().push(offered.len());
                    }
                }
                offered.push(Want { cap, ..want.clone() });
            }
            for (pool, wants) in members {
                let Room::Some(room) = state.pools[pool].room() else { continue };
                let asked = wants.iter().map(|want| offered[*want].cap).fold(0, u32::saturating_add);
                state.pools[pool].held += asked.min(room);
                offer.reserved.push((pool, asked.min(room)));
                if asked > room {
                    offer.groups.push(Group { wants, room });
                }
            }
            offer.wants = offered.into();
            offer
        })
    }

    /// Whether attempts of this task are counted while they run.
    pub(super) fn counts(&self, task: &str) -> bool {
        self.with(|state| {
            let mut pools = state.of_task.get(task).into_iter().flatten().map(|pool| &state.pools[*pool]);
            pools.any(|pool| pool.name.is_some() && !pool.is_rate() && pool.cap.is_some())
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
                ask |= pool.down_to.is_some();
                stir |= std::mem::take(&mut pool.tight);
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
            let mut asks = Vec::new();
            for pool in &mut state.pools {
                pool.fill(&self.clock);
                if let Some(name) = pool.name.clone()
                    && let Some(ask) = pool.ask(slots)
                {
                    asks.push((name, ask));
                }
            }
            asks
        })
    }

    /// What the backend answers.
    pub(super) fn take(&self, portions: Vec<(PoolName, Portion)>) {
        self.with(|state| {
            for (name, portion) in portions {
                let pool = state.pool(&name, &self.clock);
                state.pools[pool].fill(&self.clock);
                state.pools[pool].take(portion, &self.clock);
            }
        });
        self.stir.raise();
    }

    /// What a look at the pools shows.
    pub(super) fn see(&self, views: &[PoolView]) {
        let room = self.with(|state| {
            let mut room = state.forget(views);
            for view in views {
                let Some(pool) = state.known(&view.pool, &self.clock) else { continue };
                let (pool, portion) = (&mut state.pools[pool], &view.portion);
                room |= pool.cap != portion.cap;
                let rate = pool.bucket.as_ref().map(|(bucket, _)| bucket.rate());
                // What it has of it is told, with its tokens, when it asks.
                pool.stale |= pool.units != portion.units || rate.is_some_and(|rate| Some(rate) != portion.rate);
                (pool.cap, pool.down_to) = (portion.cap, portion.down_to);
            }
            room
        });
        if room {
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
            named.then(|| state.pools.iter().filter_map(Pool::due).min().unwrap_or(IDLE).min(IDLE))
        })
    }
}

impl State {
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
            self.pools.push(Pool::new(Some(name.clone()), Some(0), clock));
            self.pools.len() - 1
        })
    }

    fn place(&self, name: &PoolName) -> Option<usize> {
        self.pools.iter().position(|pool| pool.name.as_ref() == Some(name))
    }

    /// The place of a pool that concerns this worker: one that its code names, or that somebody else has set for its task.
    fn known(&mut self, name: &PoolName, clock: &Clock) -> Option<usize> {
        self.place(name).or_else(|| {
            let task = name.limit.strip_prefix("task:")?;
            let task = self.tasks.values().find(|known| **known == task).copied()?;
            let pool = self.pool(name, clock);
            if name.measure == Measure::Concurrency {
                self.pools[pool].held = self.running.get(task).copied().unwrap_or_default();
            }
            self.bind(task, pool);
            self.sort();
            Some(pool)
        })
    }

    /// The pools of each task in one order everywhere, in which they are waited for.
    fn sort(&mut self) {
        for pools in self.of_task.values_mut() {
            pools.sort_by(|a, b| self.pools[*a].name.cmp(&self.pools[*b].name));
        }
    }

    /// Pools that there are none of any more bound nothing; whether there are such.
    fn forget(&mut self, views: &[PoolView]) -> bool {
        let mut any = false;
        for pool in &mut self.pools {
            let Some(name) = &pool.name else { continue };
            if pool.cap.is_some() && !views.iter().any(|view| view.pool == *name) {
                (pool.cap, pool.units, pool.bucket, pool.blocked) = (None, 0, None, false);
                any = true;
            }
        }
        any
    }

    /// How many of a want there is room for; of none, to look only; `None` where looking is idle.
    fn cap(&mut self, want: &Want, due: &mut Option<Duration>) -> Option<u32> {
        let mut cap = Some(want.cap);
        for pool in self.of_task.get(&*want.task).into_iter().flatten() {
            let pool = &mut self.pools[*pool];
            match pool.room() {
                Room::Some(room) => {
                    pool.tight |= room < want.cap;
                    cap = cap.map(|cap| cap.min(room));
                }
                Room::Elsewhere => cap = cap.map(|_| 0),
                Room::Later(next) => {
                    pool.tight = true;
                    *due = due.iter().chain(&next).min().copied();
                    cap = None;
                }
            }
        }
        cap
    }
}

impl Offer {
    /// A claim has won jobs of these tasks, and found others blocked.
    pub(super) fn won<'t>(self, tasks: impl Iterator<Item = &'t str>, blocked: &[usize]) {
        let ask = self.limits.with(|state| {
            let State { pools, of_task, tasks: names, running, .. } = state;
            for task in tasks {
                if let Some(name) = names.get(task) {
                    *running.entry(name).or_default() += 1;
                }
                for pool in of_task.get(task).into_iter().flatten() {
                    let pool = &mut pools[*pool];
                    pool.used = self.limits.clock.mark();
                    let is_rate = pool.is_rate();
                    match &mut pool.bucket {
                        Some((bucket, _)) => bucket.take(),
                        // A start is past at once, and nothing ends it.
                        None if is_rate => {}
                        None => pool.held += 1,
                    }
                }
            }
            let mut ask = false;
            for want in blocked.iter().filter_map(|place| self.wants.get(*place)) {
                // One after the other, in one order everywhere: nobody waits with what another one waits for.
                let mut all = of_task.get(&*want.task).into_iter().flatten();
                if let Some(first) = all.find(|pool| matches!(pools[**pool].room(), Room::Elsewhere)) {
                    (pools[*first].blocked, ask) = (true, true);
                }
            }
            ask
        });
        if ask {
            self.limits.ask.raise();
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.limits.with(|state| {
            for (pool, count) in &self.reserved {
                let pool = &mut state.pools[*pool];
                pool.held = pool.held.saturating_sub(*count);
            }
        });
    }
}
