//! What a claim may win by the limits of its tasks, and what it has won.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::saving::Saved;
use super::{Limits, State};
use crate::backend::{Group, Owed, Want};
use crate::platform::Clock;
use crate::runtime::pool::{Pool, Prospect, Room};

/// What a claim may ask for.
pub(in crate::runtime) struct Offer {
    pub(in crate::runtime) wants: Arc<[Want]>,
    pub(in crate::runtime) groups: Vec<Group>,
    /// When there is more, where only time is against it.
    pub(in crate::runtime) due: Option<Duration>,
    reserved: Vec<(usize, u32)>,
    /// It has won nothing, and not since somebody came first.
    in_vain: bool,
    /// Of each want which pool has to have something first, where it is only looked for.
    missing: Vec<Option<usize>>,
    /// Pools of what is waited for something else.
    in_turn: HashSet<usize>,
    /// Pools of which there was something.
    had: HashSet<usize>,
    /// Pools of which units had come that no claim had been made with.
    fresh: Vec<usize>,
    /// How often something had come to be bounded when it was made.
    era: u64,
    limits: Arc<Limits>,
}

/// What a worker could do with what there is of its pools, and what it waits for.
#[derive(Default)]
struct Survey {
    /// When there is more, where only time is against it.
    due: Option<Duration>,
    /// Pools whose units could let one start: where something holds it up, that is what it waits for, and nothing else. With each,
    /// whether it is needed beside what has been asked for.
    useful: HashMap<usize, bool>,
    /// The same of tasks of which the last claim found no job.
    doubtful: HashSet<usize>,
    /// Those that have to be there before what is waited for.
    in_turn: HashSet<usize>,
}

impl Limits {
    /// What of these may be claimed now.
    pub(in crate::runtime) fn offer(self: &Arc<Self>, wants: Arc<[Want]>) -> Offer {
        self.with(|state| self.offered(state, wants))
    }

    /// What could be used by what there is of these now, and what not: of the rest something may be others'.
    pub(in crate::runtime) fn judge(self: &Arc<Self>, wants: Arc<[Want]>) {
        // At once, as a claim that is made meanwhile would find all of it reserved.
        let offer = self.with(|state| {
            let mut offer = self.offered(state, wants);
            if state.release(&std::mem::take(&mut offer.reserved)) {
                self.ask.raise();
            }
            offer
        });
        drop(offer);
    }

    fn offered(self: &Arc<Self>, state: &mut State, wants: Arc<[Want]>) -> Offer {
        let (era, limits) = (state.era, Arc::clone(self));
        let none = |wants| {
            let (groups, reserved, missing, fresh) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let (in_turn, had) = (HashSet::new(), HashSet::new());
            Offer { wants, groups, due: None, reserved, in_vain: false, missing, in_turn, had, fresh, era, limits }
        };
        if state.pools.is_empty() {
            return none(wants);
        }
        state.fill(&self.clock);
        // Once for all that follows, as time goes on meanwhile: what counts as there is what is reserved.
        let rooms: Vec<Room> = state.pools.iter().map(Pool::room).collect();
        for (pool, room) in state.pools.iter_mut().zip(&rooms) {
            (pool.offered, pool.grown) = (room.rank(), false);
        }
        let mut offer = none(Arc::from([]));
        let (mut offered, mut members) = (Vec::new(), HashMap::<usize, Vec<usize>>::new());
        let (mut survey, chance) = (Survey::default(), self.platform.random());
        let (saved, mut ask) = state.save(&wants, &rooms, &self.clock);
        let left = saved.as_ref().map(|saved| saved.leave(&rooms));
        let is_saved_for =
            |state: &State, task: &str| saved.as_ref().is_some_and(|saved| saved.is_for(state.tasks.get(task)));
        for want in wants.iter() {
            let rooms = match &left {
                Some(left) if !is_saved_for(state, &want.task) => left,
                _ => &rooms,
            };
            state.arrange(&want.task, rooms, &self.clock, chance);
            let room = state.cap(want, rooms, &mut survey);
            if room.is_none_or(|(cap, _)| cap == 0) {
                state.pass_by(&want.task, rooms, &self.clock);
            }
            let Some((cap, missing)) = room else { continue };
            offer.missing.push(missing);
            if cap > 0 {
                for pool in state.of_task.get(&*want.task).into_iter().flatten() {
                    members.entry(*pool).or_default().push(offered.len());
                }
            }
            offered.push(Want { cap, ..want.clone() });
        }
        for (pool, wants) in members {
            let Room::Some(room) = rooms[pool] else { continue };
            let asked = wants.iter().map(|want| offered[*want].cap).fold(0, u32::saturating_add);
            state.pools[pool].held += asked.min(room);
            offer.reserved.push((pool, asked.min(room)));
            if let Some(left) = &left
                && let Room::Some(room) = left[pool]
            {
                let others: Vec<usize> =
                    wants.iter().copied().filter(|want| !is_saved_for(state, &offered[*want].task)).collect();
                if others.iter().map(|want| offered[*want].cap).fold(0, u32::saturating_add) > room {
                    offer.groups.push(Group { wants: others, room });
                }
            }
            if asked > room {
                offer.groups.push(Group { wants, room });
            }
        }
        if let Some(saved) = &saved {
            survey.save(saved);
        }
        ask |= state.judge(&survey, &self.clock, chance);
        if ask {
            self.ask.raise();
        }
        (offer.due, offer.in_turn) = (survey.due, survey.in_turn);
        offer.had = (0..rooms.len()).filter(|place| matches!(rooms[*place], Room::Some(_))).collect();
        offer.fresh = (0..state.pools.len()).filter(|pool| state.pools[*pool].fresh).collect();
        offer.wants = offered.into();
        offer
    }
}

impl Survey {
    /// What is saved can be used by others when that ends.
    fn save(&mut self, saved: &Saved) {
        self.due = self.due.into_iter().chain([saved.rest]).min();
    }
}

impl State {
    /// How many of a want there is room for; of none, to look only, and what is missing; `None` where looking is idle.
    fn cap(&mut self, want: &Want, rooms: &[Room], survey: &mut Survey) -> Option<(u32, Option<usize>)> {
        if let Some(rest) = self.rests(&want.task)
            && self.of_task.get(&*want.task).into_iter().flatten().any(|place| !matches!(rooms[*place], Room::Some(_)))
        {
            survey.due = survey.due.into_iter().chain([rest]).min();
            return None;
        }
        let (mut cap, name) = (Some(want.cap), self.tasks.get(&*want.task).copied());
        let (mut fills, mut waits, mut asks, mut missing) = (None, None, false, None);
        for place in self.of_task.get(&*want.task).into_iter().flatten() {
            let pool = &mut self.pools[*place];
            match rooms[*place] {
                Room::Some(room) => {
                    pool.tight |= room < want.cap;
                    cap = cap.map(|cap| cap.min(room));
                }
                // What comes after it isn't waited for, nor kept, before it is here: else two would wait for each other.
                Room::Elsewhere if fills.or(waits).is_none() && !asks => {
                    cap = Some(0);
                    missing = Some(*place);
                    break;
                }
                Room::Elsewhere => cap = cap.map(|_| 0),
                Room::Later(next) => {
                    let waits = if next.is_some() { &mut fills } else { &mut waits };
                    if pool.is_asked_for() {
                        asks = true;
                    } else {
                        waits.get_or_insert(*place);
                    }
                    pool.tight = true;
                    survey.due = survey.due.iter().chain(&next).min().copied();
                    cap = None;
                }
            }
        }
        let all = || self.of_task.get(&*want.task).into_iter().flatten().copied();
        if let Some(place) = fills.or(waits) {
            survey.useful.entry(place).or_default();
            survey.in_turn.extend(all().take_while(|before| *before != place));
            // Others may have it in use for long: whether there is a job by now that waits for it is looked for.
            let looks = self.savings.is_for(name) || self.pools[place].is_shared() && self.has_no_job(&want.task);
            return cap.map(|cap| (cap, missing)).or(looks.then_some((0, Some(place))));
        }
        let is_idle = !asks && self.idle.contains(&*want.task);
        let lets_start = all().position(|place| Some(place) == missing).map_or(usize::MAX, |last| last + 1);
        for place in all().take(lets_start) {
            if is_idle {
                survey.doubtful.insert(place);
            } else {
                *survey.useful.entry(place).or_default() |= asks;
            }
        }
        cap.map(|cap| (cap, missing))
    }

    /// Whether the last claims found no job of this task, under any of its names.
    pub(super) fn has_no_job(&self, task: &str) -> bool {
        let name = self.tasks.get(task);
        self.idle.contains(task)
            && self.tasks.iter().filter(|(_, other)| name == Some(*other)).all(|(alias, _)| self.idle.contains(alias))
    }

    /// What may come of each pool; whether something of one is others' by that.
    fn judge(&mut self, survey: &Survey, clock: &Clock, chance: f64) -> bool {
        let mut ask = false;
        for (place, pool) in self.pools.iter_mut().enumerate().filter(|(_, pool)| pool.name.is_some()) {
            let in_turn = survey.in_turn.contains(&place);
            match survey.useful.get(&place) {
                _ if pool.saved.is_some() => pool.save(),
                Some(true) => pool.need(clock),
                Some(false) => pool.open(clock),
                None if !in_turn && survey.doubtful.contains(&place) => pool.open(clock),
                None => {
                    pool.hold_up(clock, in_turn, chance);
                    ask |= pool.waits_in_vain() || pool.owes();
                }
            }
        }
        ask
    }

    /// Whether something of these tasks has come to be bounded since, or to be bounded to less than is out, or than was won.
    fn may_not_start<'t>(&mut self, tasks: impl Iterator<Item = &'t str>, era: u64, clock: &Clock) -> bool {
        let mut won = HashMap::<usize, u32>::new();
        for pool in tasks.filter_map(|task| self.of_task.get(task)).flatten() {
            *won.entry(*pool).or_default() += 1;
        }
        won.into_iter().any(|(pool, count)| {
            let pool = &mut self.pools[pool];
            // A bucket that was full while the claim was on its way has gained nothing meanwhile.
            pool.fill(clock);
            pool.era > era || pool.owed == Owed::Excess || pool.outdated || pool.lacks(count)
        })
    }
}

impl State {
    /// Attempts of these tasks start; whether there is something to say of that.
    fn count<'t>(&mut self, tasks: impl Iterator<Item = &'t str>, clock: &Clock) -> bool {
        let mut ask = false;
        for task in tasks {
            self.waits_no_longer(task);
            let Self { pools, of_task, tasks: names, running, missed, passed, idle, savings, .. } = self;
            idle.remove(task);
            missed.remove(task);
            passed.remove(task);
            if let Some(name) = names.get(task) {
                savings.set_right(name, true, clock);
                *running.entry(name).or_default() += 1;
            }
            for pool in of_task.get(task).into_iter().flatten() {
                let pool = &mut pools[*pool];
                pool.used = clock.mark();
                pool.start();
                let is_rate = pool.is_rate();
                match &mut pool.bucket {
                    Some((bucket, _)) => {
                        bucket.take();
                        pool.served = pool.served.saturating_add(1);
                        pool.untold = true;
                        ask |= pool.foresees().is_some();
                        ask |= pool.owed == Owed::Beyond(0) && pool.turn().is_zero();
                    }
                    // A start is past at once, and nothing ends it.
                    None if is_rate => {}
                    None => pool.held += 1,
                }
            }
        }
        ask
    }

    /// Nothing more will be won with these; whether something of them is others', who wait for it.
    fn release(&mut self, reserved: &[(usize, u32)]) -> bool {
        let mut ask = false;
        for (pool, count) in reserved {
            let pool = &mut self.pools[*pool];
            pool.held = pool.held.saturating_sub(*count);
            ask |= pool.owes();
        }
        ask
    }
}

impl Offer {
    /// A claim has won jobs of these tasks, and found others blocked. Not where one of the tasks has come to be bounded, or more is out
    /// than may be by now, or a rate was lowered, while the claim was on its way: this worker may have said that it runs none, so none is
    /// to be started. What was blocked is asked for, unless the worker is full now and could do nothing with it, or the claim won as much as
    /// it could, and others such did nothing with what came.
    #[must_use]
    pub(in crate::runtime) fn won<'t>(
        mut self,
        tasks: impl Iterator<Item = &'t str> + Clone,
        blocked: &[usize],
        full: bool,
        sated: bool,
    ) -> bool {
        let reserved = std::mem::take(&mut self.reserved);
        let (won, ask) = self.limits.with(|state| {
            for pool in &self.fresh {
                (state.pools[*pool].fresh, state.pools[*pool].since) = (false, self.limits.clock.mark());
            }
            let won = !state.may_not_start(tasks.clone(), self.era, &self.limits.clock);
            let mut ask = won && state.count(tasks.clone(), &self.limits.clock);
            ask |= won && sated && state.pass_over(&reserved, &self.fresh, tasks, &self.limits.clock);
            ask |= won && self.note(state, blocked, full, sated);
            (won, ask | state.release(&reserved))
        });
        if ask {
            self.limits.ask.raise();
        }
        won
    }

    /// What of that which was only looked for there is, and no room for it; whether there is something to ask for.
    fn note(&self, state: &mut State, blocked: &[usize], full: bool, sated: bool) -> bool {
        let mut ask = self.note_idle(state, blocked);
        state.save_for_nobody_without_jobs(&self.limits.clock);
        let State { pools, of_task, missed, passed, .. } = state;
        for place in blocked {
            let (Some(want), Some(Some(first))) = (self.wants.get(*place), self.missing.get(*place)) else { continue };
            let Some((name, all)) = of_task.get_key_value(&*want.task) else { continue };
            let before = || all.iter().take_while(|before| *before != first);
            if all.iter().any(|other| self.had.contains(other) && pools[*other].is_shared()) {
                passed.insert(name);
            }
            // One after the other, in one order everywhere: nobody waits with what another one waits for.
            if !matches!(pools[*first].room(), Room::Elsewhere) {
                continue;
            }
            if full || sated && pools[*first].is_unwanted() {
                missed.insert(name);
                continue;
            }
            pools[*first].want();
            ask = true;
            // What has to be there before that isn't given back in the same breath.
            before().for_each(|before| pools[*before].need(&self.limits.clock));
        }
        ask
    }

    /// Of what no job was found, though there is room, or was looked for: who waits for more units of that has nothing to start with them
    /// either. Else units that several wait for would go round for ever. Others who wait for what it has needn't wait any longer.
    /// Not of what bounds a task too of which there is a job, or that waits for something else: that comes to it.
    fn note_idle(&self, state: &mut State, blocked: &[usize]) -> bool {
        let State { pools, of_task, missed, passed, idle, .. } = state;
        let all = |place: usize| of_task.get(&*self.wants[place].task).into_iter().flatten().copied();
        let is_found = |place: &usize| if self.wants[*place].cap > 0 { !self.in_vain } else { blocked.contains(place) };
        // A worker may look for jobs of a task in several queues.
        let tasks: HashSet<&str> =
            (0..self.missing.len()).filter(is_found).map(|place| &*self.wants[place].task).collect();
        let (found, none): (Vec<_>, Vec<_>) =
            (0..self.missing.len()).partition(|place| tasks.contains(&*self.wants[*place].task));
        for place in blocked.iter().filter_map(|place| self.wants.get(*place)) {
            idle.remove(&*place.task);
        }
        let useful: HashSet<usize> = found.into_iter().flat_map(all).collect();
        let mut ask = false;
        for place in none {
            if let Some((task, _)) = of_task.get_key_value(&*self.wants[place].task) {
                idle.insert(task);
                missed.remove(task);
                passed.remove(task);
            }
            let first = self.missing[place];
            let had = all(place).take_while(|pool| Some(*pool) != first);
            for had in had.filter(|pool| !useful.contains(pool) && !self.in_turn.contains(pool)) {
                let pool = &mut pools[had];
                if matches!(pool.prospect, Prospect::Open | Prospect::Spare) {
                    pool.prospect = Prospect::Spare;
                    ask |= std::mem::take(&mut pool.blocked) || pool.owes();
                }
            }
        }
        ask
    }

    /// A claim has found nothing.
    pub(in crate::runtime) const fn found_nothing(&mut self) {
        self.in_vain = true;
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if self.limits.with(|state| state.release(&self.reserved)) {
            self.limits.ask.raise();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Measure, PoolName};
    use crate::platform::{ManualClock, Platform};
    use crate::runtime::service::Signal;

    #[test]
    fn of_a_task_with_a_job_in_one_of_two_queues_it_is_not_noted_that_it_has_none() {
        let platform = Platform::manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
        let limits = Arc::new(Limits::of(&[], 9, &platform, Signal::new()));
        limits.with(|state| {
            let name = PoolName { limit: "yard".into(), measure: Measure::Concurrency };
            state.pools.push(Pool::new(Some(name), Some(2), &platform.clock));
            state.of_task.insert("desk", vec![0]);
        });
        let wants = ["default", "side"].map(|queue| Want { queue: queue.into(), task: "desk".into(), cap: 5 });
        let none = std::iter::empty::<&str>;
        for (blocked, idle) in [(&[0][..], false), (&[1], false), (&[0, 1], false), (&[], true)] {
            limits.with(|state| state.pools[0].blocked = false);
            assert!(limits.offer(Arc::from(wants.clone())).won(none(), blocked, false, false));
            assert_eq!(limits.with(|state| state.idle.contains("desk")), idle, "{blocked:?}");
        }
    }

    #[test]
    fn a_task_without_jobs_is_looked_for_while_others_use_its_limit_and_not_once_it_has_one() {
        let platform = Platform::manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
        let limits = Arc::new(Limits::of(&[], 9, &platform, Signal::new()));
        limits.with(|state| {
            for limit in ["quay", "task:desk"] {
                let name = PoolName { limit: limit.into(), measure: Measure::Concurrency };
                state.pools.push(Pool::new(Some(name), Some(2), &platform.clock));
            }
            state.of_task.extend([("tug", vec![0]), ("desk", vec![1])]);
        });
        let wants: Arc<[Want]> =
            ["tug", "desk"].map(|task| Want { queue: "default".into(), task: task.into(), cap: 5 }).into();
        let looks = |blocked: &[usize]| {
            let offer = limits.offer(Arc::clone(&wants));
            let looked: Vec<_> = offer.wants.iter().map(|want| (want.task.to_string(), want.cap)).collect();
            assert!(offer.won(std::iter::empty::<&str>(), blocked, false, false));
            looked
        };
        assert_eq!(looks(&[]).len(), 2);
        // There is something of neither, and it is waited for.
        limits.with(|state| state.pools.iter_mut().for_each(|pool| (pool.blocked, pool.wished) = (true, 1)));
        let tug = [("tug".to_owned(), 0)];
        assert_eq!(looks(&[]), tug, "what only it uses it waits for with jobs that it knows of");
        assert_eq!(looks(&[0]), tug);
        assert_eq!(looks(&[]), []);
    }

    #[test]
    fn what_may_be_won_is_reserved_though_time_goes_on_meanwhile() {
        for micros in 1..100 {
            let platform =
                Platform::manual(ManualClock::at(pgq_core::Timestamp::EPOCH).ticking(Duration::from_micros(1)));
            let limits = Arc::new(Limits::of(&[], 9, &platform, Signal::new()));
            limits.with(|state| {
                let mut pool = Pool::new(None, Some(1), &platform.clock);
                let held_up = Prospect::HeldUp(platform.clock.mark(), Duration::from_micros(micros));
                (pool.owed, pool.prospect) = (Owed::Spare, held_up);
                state.pools.push(pool);
                state.of_task.insert("desk", vec![0]);
            });
            let offer = limits.offer(Arc::from([Want { queue: "default".into(), task: "desk".into(), cap: 5 }]));
            let most: u32 = offer.wants.iter().map(|want| want.cap).sum();
            let reserved: u32 = offer.reserved.iter().map(|(_, count)| count).sum();
            assert_eq!(most, reserved, "held for {micros} µs");
        }
    }
}
