//! What a worker does about limits while all its slots are taken, or others use up what a task has to have first.
//!
//! It could start nothing with units: what it has goes to others after 20 ms, of a rate 20 ms after there is a token, and what it lacks
//! isn't asked for, or units would go round among those who can start nothing. As soon as a slot is free it asks for what it had to do
//! without, one thing after the other in the order in which they are waited for, and keeps the slot for that for a moment, as what came
//! only beside the claim would find the slot taken again. Each time that this was in vain for a task it is longer until the next one: the
//! units may run something elsewhere, and nothing else is to be held up for that.
//!
//! Slots that fall free one after the other, and go to jobs that come first, are as good as taken: what a claim had reserved of a limit,
//! and that won as much as it could without starting anything with it, goes to others after 20 ms too. Where that had come just before
//! nothing more is asked for for a second, and for twice as long each time, until something starts with it or a claim finds room left.
//!
//! So it is with a task of several limits that another task passes by, as it uses up what comes of one of them while the rest is on
//! its way: where there is something of that one again, it is kept for a moment, with all slots, until the rest has come.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::{Limits, State};
use crate::platform::{Clock, Mark};
use crate::runtime::pool::{Pool, Room};

/// How long a free slot is kept for what is asked for.
pub(in crate::runtime) const KEPT: Duration = Duration::from_millis(50);
/// The time until one is kept again, and after it was in vain, which doubles each time.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(8);

/// When a slot was kept last for a task, and for how long none is.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Asking(HashMap<&'static str, (Mark, Duration)>);

impl Asking {
    fn is_due(&self, task: &str) -> bool {
        self.0.get(task).is_none_or(|(mark, pause)| mark.elapsed() >= *pause)
    }

    /// A slot was kept until now for these tasks: each of them can start, or that was in vain.
    pub(in crate::runtime) fn was(&mut self, tasks: &[&'static str], granted: bool, now: &Mark) {
        for task in tasks {
            let (mark, pause) = self.0.entry(task).or_insert_with(|| (now.clone(), Duration::ZERO));
            *pause = if granted { SOON } else { (*pause * 2).clamp(LATER, LATEST) };
            mark.clone_from(now);
        }
    }
}

impl Limits {
    /// All slots are taken.
    pub(in crate::runtime) fn crowd_out(&self) {
        let ask = self.with(|state| {
            state.full = true;
            let mut ask = false;
            for pool in state.pools.iter_mut().filter(|pool| pool.name.is_some()) {
                pool.crowd_out(&self.clock);
                ask |= pool.blocked || pool.owes();
            }
            ask
        });
        if ask {
            self.ask.raise();
        }
    }

    /// The tasks that had to be done without while all slots were taken, and those passed by of which only the rest is missing now; as
    /// far as they are due.
    pub(in crate::runtime) fn missed(&self, asking: &Asking) -> Vec<&'static str> {
        self.with(|state| {
            state.fill(&self.clock);
            state.full = false;
            let State { pools, of_task, missed, passed, .. } = state;
            let has_some = |task: &str| {
                let all = of_task.get(task).into_iter().flatten().map(|pool| &pools[*pool]);
                let there = |pool: &&Pool| matches!(pool.room(), Room::Some(_));
                all.clone().any(|pool| !there(&pool)) && all.clone().filter(there).any(Pool::is_shared)
            };
            let passed_by = passed.iter().filter(|task| has_some(task));
            let is_spurned = |task: &str| of_task.get(task).into_iter().flatten().any(|pool| pools[*pool].is_spurned());
            let due = missed.iter().chain(passed_by).filter(|task| asking.is_due(task) && !is_spurned(task));
            let due: BTreeSet<&'static str> = due.copied().collect();
            missed.retain(|task| !due.contains(task));
            passed.retain(|task| !due.contains(task));
            due.into_iter().collect()
        })
    }

    /// A slot is free: asks for what these tasks lack, of each for one thing after the other, until there is all that one of them needs,
    /// or nothing that may come; which can start.
    pub(in crate::runtime) async fn catch_up(&self, tasks: &[&'static str]) -> Vec<&'static str> {
        loop {
            let seen = self.answered.count();
            let lacks: Vec<_> = self.with(|state| tasks.iter().map(|task| state.lacks(task, &self.clock)).collect());
            if lacks.iter().any(|lack| matches!(lack, Lack::Asked)) {
                self.ask.raise();
            }
            let can_start = lacks.iter().zip(tasks).filter(|(lack, _)| matches!(lack, Lack::Nothing));
            let can_start: Vec<_> = can_start.map(|(_, task)| *task).collect();
            let waits = lacks.iter().any(|lack| matches!(lack, Lack::Asked | Lack::Awaited));
            if !can_start.is_empty() || !waits {
                return can_start;
            }
            self.answered.raised(seen).await;
        }
    }
}

/// What is against the start of a task's job, beside what comes by itself in a moment.
#[derive(Clone, Copy)]
enum Lack {
    Nothing,
    /// Something that it has just been wished for.
    Asked,
    /// The same before.
    Awaited,
    /// Something that nobody can be asked for.
    Hopeless,
}

impl State {
    /// A claim has won as much as it could: what it had reserved of other pools than those of these tasks can't be used; whether
    /// something of that is others'.
    pub(super) fn pass_over<'t>(
        &mut self,
        reserved: &[(usize, u32)],
        fresh: &[usize],
        tasks: impl Iterator<Item = &'t str>,
        clock: &Clock,
    ) -> bool {
        let used: HashSet<usize> = tasks.filter_map(|task| self.of_task.get(task)).flatten().copied().collect();
        let mut ask = false;
        for (place, count) in reserved.iter().filter(|(place, _)| !used.contains(place)) {
            let pool = &mut self.pools[*place];
            if pool.name.is_some() && *count > 0 {
                pool.pass_over(clock, fresh.contains(place));
                ask |= pool.blocked || pool.owes();
            }
        }
        ask
    }

    fn lacks(&mut self, task: &str, clock: &Clock) -> Lack {
        let Self { pools, of_task, slots, .. } = self;
        let all = of_task.get(task).map_or(&[][..], Vec::as_slice);
        let (mut lack, mut first) = (Lack::Nothing, all.len());
        for (position, place) in all.iter().enumerate() {
            let pool = &mut pools[*place];
            lack = match pool.room() {
                Room::Some(_) => continue,
                _ if pool.fills_within(KEPT) => continue,
                Room::Elsewhere if pool.ask_again(*slots, clock) => Lack::Asked,
                Room::Later(_) if pool.blocked => Lack::Awaited,
                _ => Lack::Hopeless,
            };
            first = position;
            break;
        }
        for (position, place) in all.iter().enumerate() {
            if position == first || position > first && !matches!(pools[*place].room(), Room::Some(_)) {
                continue;
            }
            let pool = &mut pools[*place];
            match lack {
                Lack::Asked | Lack::Awaited => pool.need(clock),
                Lack::Nothing | Lack::Hopeless => pool.open(clock),
            }
        }
        lack
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use pgq_core::Rate;

    use crate::backend::{Measure, Owed, PoolName, Portion, Want};
    use crate::platform::{ManualClock, Platform, within};
    use crate::runtime::pool::Pool;
    use crate::runtime::service::Signal;

    #[test]
    fn a_slot_is_kept_less_often_each_time_that_it_was_in_vain() {
        let time = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let clock = Clock::Manual(time.clone());
        let mut asking = Asking::default();
        assert!(asking.is_due("weld"));
        let asked = [
            (false, 1_000),
            (false, 2_000),
            (false, 4_000),
            (false, 8_000),
            (false, 8_000),
            (true, 100),
            (false, 1_000),
        ];
        for (granted, millis) in asked {
            asking.was(&["weld"], granted, &clock.mark());
            time.advance(Duration::from_millis(millis - 1));
            assert!(!asking.is_due("weld"), "{millis} ms aren't over");
            assert!(asking.is_due("solder"), "that is another one's");
            time.advance(Duration::from_millis(1));
            assert!(asking.is_due("weld"), "{millis} ms are over");
        }
    }

    #[test]
    fn what_came_while_claims_win_other_things_only_is_asked_for_less_often_each_time() {
        let time = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let platform = Platform::manual(time.clone());
        let limits = Arc::new(Limits::of(&[], 4, &platform, Signal::new()));
        let name = || PoolName { limit: "task:weld".into(), measure: Measure::Concurrency };
        limits.with(|state| {
            state.pools.push(Pool::new(Some(name()), Some(1), &platform.clock));
            state.of_task.insert("weld", vec![0]);
        });
        let has =
            |units, owed| limits.take(vec![(name(), Portion { units, cap: Some(1), owed, ..Portion::default() })]);
        let wants = ["plate", "weld"].map(|task| Want { queue: "default".into(), task: task.into(), cap: 4 });
        let missed = || limits.missed(&Asking::default());
        for (won, seconds) in
            [("plate", 1), ("plate", 2), ("plate", 4), ("plate", 8), ("plate", 8), ("weld", 0), ("plate", 1)]
        {
            assert!(limits.with(|state| state.pools[0].ask_again(4, &platform.clock)));
            limits.asks();
            has(1, Owed::Beyond(0));
            // What there is is known by one, and used by the next.
            drop(limits.offer(Arc::new(wants.clone())));
            let offer = limits.offer(Arc::new(wants.clone()));
            assert_eq!(offer.wants.iter().map(|want| want.cap).collect::<Vec<_>>(), [4, 1]);
            assert!(offer.won([won].into_iter(), &[], true, true));
            if won == "weld" {
                limits.ended("weld");
            }
            time.advance(Duration::from_millis(20));
            assert!(limits.asks().iter().all(|(_, ask)| ask.keep == 0), "it is others'");
            has(0, Owed::Spare);
            limits.with(|state| state.missed.insert("weld"));
            if seconds > 0 {
                time.advance(Duration::from_millis(seconds * 1_000 - 21));
                assert!(missed().is_empty(), "{seconds} s aren't over");
                time.advance(Duration::from_millis(1));
            }
            assert_eq!(missed(), ["weld"], "{seconds} s are over");
        }
    }

    /// What is wished for now: whether it is of a rate, and how much.
    fn says(limits: &Limits) -> Vec<(bool, u32)> {
        limits.asks().into_iter().map(|(name, ask)| (name.measure == Measure::Rate, ask.wish)).collect()
    }

    #[tokio::test]
    async fn a_slot_that_is_free_is_kept_for_one_thing_after_the_other_and_for_no_token() {
        let platform = Platform::manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
        let limits = Limits::of(&[], 4, &platform, Signal::new());
        limits.with(|state| {
            for measure in [Measure::Rate, Measure::Concurrency] {
                let name = PoolName { limit: "task:weld".into(), measure };
                state.pools.push(Pool::new(Some(name), Some(1), &platform.clock));
            }
            state.missed.insert("weld");
            state.of_task.insert("weld", vec![0, 1]);
        });
        let missed = limits.missed(&Asking::default());
        assert_eq!((missed.as_slice(), limits.missed(&Asking::default()).len()), (&["weld"][..], 0), "it is told once");
        let answer = |measure, rate| {
            let name = PoolName { limit: "task:weld".into(), measure };
            limits.take(vec![(name, Portion { units: 1, cap: Some(1), rate, ..Portion::default() })]);
        };
        let mut caught_up = Box::pin(limits.catch_up(&missed));
        assert!(within(Duration::ZERO, &mut caught_up).await.is_none());
        assert_eq!(says(&limits), [(true, 1)]);
        // With no token in it, but soon.
        answer(Measure::Rate, Some(Rate::every(KEPT, 1).unwrap()));
        assert!(within(Duration::ZERO, &mut caught_up).await.is_none());
        assert_eq!(says(&limits), [(false, 1)]);
        answer(Measure::Concurrency, None);
        assert_eq!(within(Duration::from_secs(20), caught_up).await, Some(vec!["weld"]));
    }
}
