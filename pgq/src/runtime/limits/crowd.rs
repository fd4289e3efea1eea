//! What a worker does about limits while all its slots are taken, or others use up what a task has to have first.
//!
//! It could start nothing with units: what it has goes to others after 20 ms, of a rate 20 ms after there is a token, and what it lacks
//! isn't asked for, or units would go round among those who can start nothing. As soon as a slot is free it asks for what it had to do
//! without, one thing after the other in the order in which they are waited for, and keeps the slot for that for a moment, as what came
//! only beside the claim would find the slot taken again. Each time that this was in vain it is longer until the next one: the units may
//! run something elsewhere, and nothing else is to be held up for that.
//!
//! So it is with a task of several limits that another task passes by, as it uses up what comes of the first of them while the rest is on
//! its way: where there is something of that first one again, it is kept for a moment, with all slots, until the rest has come.

use std::time::Duration;

use super::{Limits, State};
use crate::platform::{Clock, Mark};
use crate::runtime::pool::Room;

/// How long a free slot is kept for what is asked for.
pub(in crate::runtime) const KEPT: Duration = Duration::from_millis(50);
/// The time until one is kept again, and after it was in vain, which doubles each time.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(8);

/// When a slot was kept last, and for how long none is.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Asking(Option<(Mark, Duration)>);

impl Asking {
    pub(in crate::runtime) fn is_due(&self) -> bool {
        self.0.as_ref().is_none_or(|(mark, pause)| mark.elapsed() >= *pause)
    }

    /// A slot was kept until now, in vain or not.
    pub(in crate::runtime) fn was(&mut self, granted: bool, now: Mark) {
        let before = self.0.as_ref().map_or(Duration::ZERO, |(_, pause)| *pause);
        self.0 = Some((now, if granted { SOON } else { (before * 2).clamp(LATER, LATEST) }));
    }
}

impl Limits {
    /// All slots are taken.
    pub(in crate::runtime) fn crowd_out(&self) {
        let ask = self.with(|state| {
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

    /// The tasks that had to be done without while all slots were taken, and those passed over of which only the rest is missing now.
    pub(in crate::runtime) fn missed(&self) -> Vec<&'static str> {
        self.with(|state| {
            let State { pools, of_task, passed, .. } = state;
            let missed = |all: &Vec<usize>| all.iter().any(|pool| pools[*pool].missed);
            let rooms = |all: &Vec<usize>| all.iter().map(|pool| pools[*pool].room()).collect::<Vec<_>>();
            let has_first = |all| {
                let rooms = rooms(all);
                let lacks = rooms.iter().position(|room| !matches!(room, Room::Some(_)));
                lacks.is_some_and(|lacks| {
                    rooms[..lacks].iter().any(|room| matches!(room, Room::Some(room) if *room < u32::MAX))
                })
            };
            let tasks = of_task.iter().filter(|(task, all)| missed(all) || passed.contains(*task) && has_first(all));
            let tasks: Vec<&'static str> = tasks.map(|(task, _)| *task).collect();
            passed.retain(|task| !tasks.contains(task));
            for pool in pools.iter_mut() {
                pool.missed = false;
            }
            tasks
        })
    }

    /// A slot is free: asks for what these tasks lack, of each for one thing after the other, until there is all that may be had.
    pub(in crate::runtime) async fn catch_up(&self, tasks: &[&str]) {
        loop {
            let seen = self.answered.count();
            let (waits, ask) = self.with(|state| {
                let (mut waits, mut ask) = (false, false);
                for task in tasks {
                    match state.lacks(task, &self.clock) {
                        Lack::Nothing => {}
                        Lack::Asked => (waits, ask) = (true, true),
                        Lack::Awaited => waits = true,
                    }
                }
                (waits, ask)
            });
            if ask {
                self.ask.raise();
            }
            if !waits {
                return;
            }
            self.answered.raised(seen).await;
        }
    }
}

/// What is against the start of a task's job, as far as others could do something about it.
enum Lack {
    Nothing,
    /// Something that it has just been wished for.
    Asked,
    /// The same before.
    Awaited,
}

impl State {
    fn lacks(&mut self, task: &str, clock: &Clock) -> Lack {
        let Self { pools, of_task, slots, .. } = self;
        let all = of_task.get(task).map_or(&[][..], Vec::as_slice);
        let mut lack = Lack::Nothing;
        for place in all {
            let pool = &mut pools[*place];
            // One that fills comes by itself.
            let fills = pool.is_rate() && pool.units > 0;
            lack = match pool.room() {
                Room::Elsewhere if !fills && pool.ask_again(*slots) => Lack::Asked,
                Room::Later(_) if !fills && pool.blocked => Lack::Awaited,
                _ => continue,
            };
            break;
        }
        for place in all {
            let pool = &mut pools[*place];
            if pool.blocked {
                break;
            }
            match lack {
                Lack::Nothing => pool.open(),
                Lack::Asked | Lack::Awaited => pool.need(clock),
            }
        }
        lack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgq_core::Rate;

    use crate::backend::{Measure, PoolName, Portion};
    use crate::platform::{ManualClock, Platform, within};
    use crate::runtime::pool::Pool;
    use crate::runtime::service::Signal;

    #[test]
    fn a_slot_is_kept_less_often_each_time_that_it_was_in_vain() {
        let time = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let clock = Clock::Manual(time.clone());
        let mut asking = Asking::default();
        assert!(asking.is_due());
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
            asking.was(granted, clock.mark());
            time.advance(Duration::from_millis(millis - 1));
            assert!(!asking.is_due(), "{millis} ms aren't over");
            time.advance(Duration::from_millis(1));
            assert!(asking.is_due(), "{millis} ms are over");
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
            state.pools[0].missed = true;
            state.of_task.insert("weld", vec![0, 1]);
        });
        let missed = limits.missed();
        assert_eq!((missed.as_slice(), limits.missed().len()), (&["weld"][..], 0), "it is told once");
        let answer = |measure, rate| {
            let name = PoolName { limit: "task:weld".into(), measure };
            limits.take(vec![(name, Portion { units: 1, cap: Some(1), rate, ..Portion::default() })]);
        };
        let mut caught_up = Box::pin(limits.catch_up(&missed));
        assert!(within(Duration::ZERO, &mut caught_up).await.is_none());
        assert_eq!(says(&limits), [(true, 1)]);
        answer(Measure::Rate, Some(Rate::every(Duration::from_secs(1), 1).unwrap()));
        assert!(within(Duration::ZERO, &mut caught_up).await.is_none());
        assert_eq!(says(&limits), [(false, 1)]);
        answer(Measure::Concurrency, None);
        within(Duration::from_secs(20), caught_up).await.expect("what was asked for is here, if not its token");
    }
}
