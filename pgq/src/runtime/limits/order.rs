//! In which order a worker waits for what a task has to have.
//!
//! One after the other, in one order everywhere ([`in_order`]): nobody waits for what another one has who waits for what he has. But where
//! the first of two limits that tasks share can be had, and the second can't for long, the first one would go round among all who wait so.
//!
//! ```text
//!              the first was held in vain three times in a row
//!   in order ──────────────────────────────────────────────────▶ ahead: waits for the second, has nothing
//!       ▲  ▲                                                        │  │
//!       │  └──────────────── a job of the task starts ──────────────┘  │ the second has come, and the first can't be had:
//!       └────────── rests for a second, and has nothing ◀──────────────┘ whoever has that may wait for the second
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use super::State;
use crate::platform::{Clock, Mark};
use crate::runtime::pool::{HOLD, Pool, Room};

/// After so many times in vain.
const VAIN: u32 = 3;
/// At most: chance takes up to a quarter off.
const REST: Duration = Duration::from_secs(1);

/// How a worker waits for what a task has to have.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// How often something that tasks share was held in vain for something else that they share, since one of its jobs started.
    vain: u32,
    /// It waits first for what it did that for.
    ahead: bool,
    /// It asks for nothing: since when, and for how long.
    rest: Option<(Mark, Duration)>,
}

/// The pools of a task in one order everywhere, in which they are waited for: its own first, which nobody else could use meanwhile, and
/// rates before others, as they make wait longest.
pub(super) fn in_order(places: &mut [usize], pools: &[Pool]) {
    places.sort_by_key(|place| {
        let pool = &pools[*place];
        (!pool.is_own(), !pool.is_rate(), pool.name.clone())
    });
}

impl State {
    /// The pools of all tasks in one order everywhere.
    pub(super) fn sort(&mut self) {
        self.waits.values_mut().for_each(|wait| wait.ahead = false);
        self.of_task.values_mut().for_each(|places| in_order(places, &self.pools));
    }

    /// What was held of this pool for something else goes back: where that comes it is kept for a moment, or another task would use it up
    /// while this is on its way again.
    pub(super) fn was_held_in_vain(&mut self, place: usize) {
        let Self { pools, of_task, tasks, idle, waits, passed, .. } = self;
        if !pools[place].is_shared() {
            return;
        }
        let is_missing = |place: &usize| pools[*place].is_shared() && !matches!(pools[*place].room(), Room::Some(_));
        let waited = |places: &[usize]| places.iter().skip_while(|other| **other != place).skip(1).any(is_missing);
        let waiting = of_task.iter().filter(|(task, places)| !idle.contains(**task) && waited(places));
        let waiting: Vec<&'static str> = waiting.map(|(task, _)| *task).collect();
        passed.extend(&waiting);
        let names: BTreeSet<&'static str> = waiting.iter().filter_map(|task| tasks.get(task).copied()).collect();
        for name in names {
            let wait = waits.entry(name).or_default();
            wait.vain = wait.vain.saturating_add(1);
        }
    }

    /// By what there is of each pool now.
    pub(super) fn arrange(&mut self, task: &str, rooms: &[Room], clock: &Clock, chance: f64) {
        let Some(name) = self.tasks.get(task).copied() else { return };
        let (Some(wait), Some(places)) = (self.waits.get_mut(name), self.of_task.get(task)) else { return };
        let pools = &self.pools;
        let is_shared = |place: &usize| pools[*place].is_shared();
        let mut places = places.clone();
        if wait.ahead {
            let had = places.iter().take_while(|place| matches!(rooms[**place], Room::Some(_))).count();
            let is_out_of_reach = |place: &usize| match rooms[*place] {
                Room::Later(None) => !pools[*place].is_asked_for(),
                Room::Later(Some(next)) => next >= REST,
                Room::Some(_) | Room::Elsewhere => false,
            };
            if !places[..had].iter().any(is_shared) || !places.get(had).is_some_and(is_out_of_reach) {
                return;
            }
            (wait.ahead, wait.vain) = (false, VAIN - 1);
            wait.rest = Some((clock.mark(), REST.mul_f64(1.0 - chance / 4.0)));
            in_order(&mut places, pools);
        } else {
            let may_be_had = |place: &usize| is_shared(place) && matches!(rooms[*place], Room::Elsewhere);
            let Some(first) = places.iter().position(may_be_had).filter(|_| wait.vain >= VAIN) else { return };
            let is_awaited = |place: &usize| match rooms[*place] {
                Room::Later(None) => is_shared(place) && !pools[*place].is_asked_for(),
                Room::Later(Some(next)) => is_shared(place) && next >= HOLD,
                Room::Some(_) | Room::Elsewhere => false,
            };
            let Some(behind) = places[first..].iter().position(is_awaited) else { return };
            places[first..=first + behind].rotate_right(1);
            wait.ahead = true;
        }
        self.put(name, &places);
    }

    /// For how much longer nothing is asked for of what this task has to have.
    pub(super) fn rests(&self, task: &str) -> Option<Duration> {
        let (since, span) = self.waits.get(self.tasks.get(task)?)?.rest.as_ref()?;
        Some(span.saturating_sub(since.elapsed())).filter(|rest| !rest.is_zero())
    }

    /// A job of this task starts.
    pub(super) fn waits_no_longer(&mut self, task: &str) {
        let Some(name) = self.tasks.get(task).copied() else { return };
        let Some(Wait { ahead: true, .. }) = self.waits.remove(name) else { return };
        if let Some(mut places) = self.of_task.get(name).cloned() {
            in_order(&mut places, &self.pools);
            self.put(name, &places);
        }
    }

    /// The same order for all names of the task.
    fn put(&mut self, name: &'static str, places: &[usize]) {
        let Self { of_task, tasks, .. } = self;
        let mine = of_task.iter_mut().filter(|(alias, _)| tasks.get(*alias) == Some(&name));
        mine.for_each(|(_, of_alias)| of_alias.copy_from_slice(places));
    }
}
