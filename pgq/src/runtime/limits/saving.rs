//! What a worker saves for a task of several limits that others pass by.
//!
//! Where others have a backlog for each limit of a task, what comes of one is used up before the rest is there, for ever. So what there is
//! of them is saved for a while, one of each, and what is missing is asked for ahead of those who save nothing.
//!
//! ```text
//!                   a second without a start, and
//!                   another task could use it up
//!   passed by ─────────────────────────────────────▶ saved for ─────▶ starts
//!       ▲                                                │ 1 s, twice as long each time in vain, up to 30 s
//!       └───────── four times as long as it was ─────────┘
//! ```
//!
//! Of a rate of which the next token comes soon nothing is saved before nothing else is missing: it would be lost where there is little
//! room for it, and waiting costs less.
//!
//! In the order in which everybody waits ([`in_order`]), and nothing that comes after what is missing, so that no two workers
//! save what the other one waits for; but where what it waited for before others came while it paused, that is saved too, and both end
//! by time. Others have about four fifths of the time of what a worker has, and whatever there is beyond one of each. Of all who would
//! save for want of the same, one does, and goes on waiting for that before others while it pauses. What came to it so goes on to who has
//! waited longest ([`Pool::balance`](pgq_core::limit::pool::Pool::balance)), or those who need nothing else would wait for ever.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::State;
use super::order::in_order;
use crate::backend::Want;
use crate::platform::{Clock, Mark};
use crate::runtime::pool::Room;

/// A task is saved for that has been passed by for so long.
const AFTER: Duration = Duration::from_secs(1);
/// How long at least, and at most unless a token is known to come later.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// For how many times as long nothing is saved for it afterwards.
const PAUSES: u32 = 4;
/// How often in a row the pause of who was preceded doubles.
const DOUBLED: u32 = 4;

/// What is saved, and for whom that is due.
#[derive(Debug, Default)]
pub(super) struct Savings {
    /// By the names that limits go by.
    passed_by: HashMap<&'static str, Plight>,
    now: Option<Saving>,
    /// Since when nothing is saved of a pool, and for how long.
    pauses: HashMap<usize, (Mark, Duration)>,
}

/// Of a task that others pass by.
#[derive(Debug)]
struct Plight {
    /// Since when, if it is.
    since: Option<Mark>,
    /// How long to save for it the next time.
    span: Duration,
    /// Since when nothing is saved for it, and for how long.
    pause: Option<(Mark, Duration)>,
    /// For what it goes on waiting before others meanwhile, so that nobody else saves for it.
    missing: Option<usize>,
    /// How often in a row somebody else had begun to before.
    preceded: u32,
}

#[derive(Clone, Debug)]
struct Saving {
    task: &'static str,
    begun: Mark,
    span: Duration,
    /// Something had to be asked for.
    asked: bool,
    /// What was saved of at any time.
    places: HashSet<usize>,
}

/// What there is of the limits of the task that is saved for.
#[derive(Debug)]
pub(super) struct Saved {
    task: &'static str,
    places: Vec<usize>,
    /// Rates of which there is a token, and soon another one: one is saved once nothing is missing. Till then it is used, and the units
    /// stay.
    quick: Vec<usize>,
    /// What it has to ask for.
    missing: Option<usize>,
    /// When there is a token of each of its rates that it has units of.
    coming: Option<Duration>,
    /// What it waited for before others while it paused is there.
    has_come: bool,
    /// For how much longer, at most.
    pub(super) rest: Duration,
}

impl Savings {
    /// It isn't passed by any more: one of its jobs starts, or there is none.
    pub(super) fn set_right(&mut self, task: &str, starts: bool, clock: &Clock) {
        let Some(plight) = self.passed_by.get_mut(task) else { return };
        (plight.since, plight.missing, plight.preceded) = (None, None, 0);
        let Some(saving) = self.now.take_if(|saving| saving.task == task) else { return };
        if starts && saving.asked {
            plight.span = (saving.begun.elapsed() * 2).clamp(SHORTEST, LONGEST);
        }
        self.rest(&saving, clock);
    }

    fn give_up(&mut self, missing: Option<usize>, is_preceded: bool, clock: &Clock) {
        let Some(saving) = self.now.take() else { return };
        let took = self.rest(&saving, clock);
        let Some(plight) = self.passed_by.get_mut(saving.task) else { return };
        if is_preceded {
            plight.preceded = plight.preceded.saturating_add(1);
            plight.missing = None;
            let pause = SHORTEST * 2_u32.pow(plight.preceded.min(DOUBLED));
            plight.pause = Some((clock.mark(), pause));
            return;
        }
        // Who has waited as long by then comes first.
        (plight.since, plight.missing, plight.preceded) = (Some(clock.mark()), missing, 0);
        if took >= saving.span {
            plight.span = (plight.span * 2).min(LONGEST);
        }
    }

    /// Of what was saved nothing is for a while; how long it was.
    fn rest(&mut self, saving: &Saving, clock: &Clock) -> Duration {
        let took = saving.begun.elapsed();
        let pause = || (clock.mark(), took.max(SHORTEST) * PAUSES);
        self.pauses.extend(saving.places.iter().map(|place| (*place, pause())));
        if let Some(plight) = self.passed_by.get_mut(saving.task) {
            plight.pause = Some(pause());
        }
        took
    }

    fn is_paused(&self, place: usize) -> bool {
        self.pauses.get(&place).is_some_and(|(since, pause)| since.elapsed() < *pause)
    }

    /// Whether something is saved for this task.
    pub(super) fn is_for(&self, task: Option<&str>) -> bool {
        self.now.as_ref().is_some_and(|saving| Some(saving.task) == task)
    }

    /// Whether a worker that pauses goes on waiting for it before others.
    fn is_awaited(&self, place: usize) -> bool {
        self.passed_by.values().any(|plight| plight.missing == Some(place) && plight.pauses())
    }

    /// For which tasks it is due, whoever has waited longest first, and for how long.
    fn due(&self, has_come: impl Fn(usize) -> bool) -> Vec<(&'static str, Duration)> {
        let mut due: Vec<_> = self
            .passed_by
            .iter()
            .filter_map(|(task, plight)| plight.due(&has_come).map(|(age, span)| (age, *task, span)))
            .collect();
        due.sort_by(|one, other| other.cmp(one));
        due.into_iter().map(|(_, task, span)| (task, span)).collect()
    }
}

impl Default for Plight {
    fn default() -> Self {
        Self { since: None, span: SHORTEST, pause: None, missing: None, preceded: 0 }
    }
}

impl Plight {
    fn due(&self, has_come: impl Fn(usize) -> bool) -> Option<(Duration, Duration)> {
        let age = self.since.as_ref()?.elapsed();
        let pauses = self.pauses() && !self.missing.is_some_and(has_come);
        (age >= AFTER && !pauses).then_some((age, self.span))
    }

    fn pauses(&self) -> bool {
        self.pause.as_ref().is_some_and(|(since, pause)| since.elapsed() < *pause)
    }
}

impl Saved {
    /// Of what one is saved just now.
    fn kept(&self) -> impl Iterator<Item = &usize> {
        self.places.iter().chain(self.quick.iter().filter(|_| self.missing.is_none()))
    }

    /// Of what there is some.
    fn had(&self) -> impl Iterator<Item = &usize> {
        self.places.iter().chain(&self.quick)
    }

    /// What others may use of each pool.
    pub(super) fn leave(&self, rooms: &[Room]) -> Vec<Room> {
        let mut left = rooms.to_vec();
        for place in self.kept() {
            left[*place] = match rooms[*place] {
                Room::Some(room) if room > 1 => Room::Some(room - 1),
                _ => Room::Later(Some(self.rest)),
            };
        }
        left
    }

    pub(super) fn is_for(&self, name: Option<&&'static str>) -> bool {
        name.is_some_and(|name| *name == self.task)
    }
}

impl State {
    /// None of its jobs can start: where there is something of what it shares with others, they may use that.
    pub(super) fn pass_by(&mut self, task: &str, rooms: &[Room], clock: &Clock) {
        let is_had = |place: &usize| self.pools[*place].is_shared() && matches!(rooms[*place], Room::Some(_));
        if self.idle.contains(task) || !self.of_task.get(task).into_iter().flatten().any(is_had) {
            return;
        }
        let Some(name) = self.tasks.get(task).copied() else { return };
        let plight = self.savings.passed_by.entry(name).or_default();
        plight.since.get_or_insert_with(|| clock.mark());
    }

    /// Begins to save, goes on, or ends; what is saved now. Also whether there is something to say of that.
    pub(super) fn save(&mut self, wants: &[Want], rooms: &[Room], clock: &Clock) -> (Option<Saved>, bool) {
        let saved = self.go_on_saving(rooms, clock).or_else(|| self.begin_to_save(wants, rooms, clock));
        let missing = saved.as_ref().and_then(|saved| saved.missing);
        let mut ask = false;
        for (place, pool) in self.pools.iter_mut().enumerate() {
            let is_awaited = !matches!(rooms[place], Room::Some(_)) && self.savings.is_awaited(place);
            ask |= pool.urge(missing == Some(place) || is_awaited);
            let saved = saved.as_ref().filter(|saved| saved.had().any(|had| *had == place));
            pool.saved = saved.map(|saved| (clock.mark(), saved.rest));
        }
        if let (Some(saved), Some(saving)) = (&saved, &mut self.savings.now) {
            saving.places.extend(saved.kept());
            saving.asked |= saved.missing.is_some();
        }
        (saved, ask)
    }

    /// Where the last claims found no job of the task that something is saved for, that ends.
    pub(super) fn save_for_nobody_without_jobs(&mut self, clock: &Clock) {
        let mut tasks =
            self.savings.passed_by.iter().filter(|(_, plight)| plight.since.is_some()).map(|(task, _)| *task);
        if let Some(task) = tasks.find(|task| self.has_no_job(task)) {
            self.savings.set_right(task, false, clock);
        }
    }

    fn go_on_saving(&mut self, rooms: &[Room], clock: &Clock) -> Option<Saved> {
        let Saving { task, begun, span, .. } = self.savings.now.as_ref()?;
        let rest = span.saturating_sub(begun.elapsed());
        let saved = self.look_what_to_save(task, rooms);
        let missing = saved.as_ref().and_then(|saved| saved.missing);
        let is_preceded = missing.is_some_and(|missing| self.pools[missing].preceded);
        if let Some(saved) = saved
            && !rest.is_zero()
            && !is_preceded
            && self.is_of_use(&saved)
        {
            return Some(Saved { rest, ..saved });
        }
        self.savings.give_up(missing, is_preceded, clock);
        if let Some(missing) = missing {
            self.pools[missing].preceded = false;
        }
        None
    }

    fn begin_to_save(&mut self, wants: &[Want], rooms: &[Room], clock: &Clock) -> Option<Saved> {
        let begin = |(task, span): (&'static str, Duration)| {
            let is_wanted = wants.iter().any(|want| self.tasks.get(&*want.task) == Some(&task));
            let saved = self.look_what_to_save(task, rooms).filter(|saved| self.is_of_use(saved))?;
            let rests = |place: &usize| self.savings.is_paused(*place) && !saved.has_come;
            if !is_wanted || self.has_no_job(task) || saved.kept().any(rests) {
                return None;
            }
            let refill = saved.had().map(|place| self.pools[*place].refill()).min()?;
            let is_worth_while = match saved.coming {
                Some(next) => next <= span.max(refill),
                None => saved.missing.is_some(),
            };
            let rest = span.max(saved.coming.unwrap_or_default() + SHORTEST);
            (is_worth_while && self.could_be_used_up(&saved, wants)).then_some(Saved { rest, ..saved })
        };
        let has_come = |place: usize| matches!(rooms[place], Room::Some(_));
        let saved = self.savings.due(has_come).into_iter().find_map(begin)?;
        let (task, span) = (saved.task, saved.rest);
        self.savings.now = Some(Saving { task, begun: clock.mark(), span, asked: false, places: HashSet::new() });
        // Everybody saves in one order.
        self.waits_no_longer(saved.task);
        Some(saved)
    }

    /// What there is of this task's limits, up to the first of which nothing comes by itself.
    fn look_what_to_save(&self, task: &'static str, rooms: &[Room]) -> Option<Saved> {
        let mut all = self.of_task.get(task)?.clone();
        in_order(&mut all, &self.pools);
        // That for which it has waited before others.
        let came = self.savings.passed_by.get(task).and_then(|plight| plight.missing);
        let has_come = came.is_some_and(|came| matches!(rooms[came], Room::Some(_)));
        let (places, quick, rest) = (Vec::new(), Vec::new(), Duration::ZERO);
        let mut saved = Saved { task, places, quick, missing: None, coming: None, has_come, rest };
        for place in all {
            let is_shared = self.pools[place].is_shared();
            match rooms[place] {
                Room::Some(_) if is_shared && self.pools[place].is_quick() => saved.quick.push(place),
                Room::Some(_) if is_shared && (saved.missing.is_none() || came == Some(place)) => {
                    saved.places.push(place);
                }
                Room::Some(_) => {}
                Room::Later(Some(next)) => saved.coming = saved.coming.max(Some(next)),
                _ if saved.missing.is_some() => {}
                Room::Elsewhere | Room::Later(None) if is_shared && self.pools[place].cap != Some(0) => {
                    saved.missing = Some(place);
                }
                Room::Elsewhere | Room::Later(None) => return None,
            }
        }
        Some(saved)
    }

    /// Whether there is a slot for the task: not where all are taken, or claims win as much else as they can.
    fn is_of_use(&self, saved: &Saved) -> bool {
        let mut places = saved.had().chain(&saved.missing);
        !self.full && !places.any(|place| self.pools[*place].is_unwanted())
    }

    /// Whether another task could use up what is saved, with nothing of what is missing.
    fn could_be_used_up(&self, saved: &Saved, wants: &[Want]) -> bool {
        let could = |want: &&Want| {
            let pools = self.of_task.get(&*want.task).map_or(&[][..], Vec::as_slice);
            self.tasks.get(&*want.task) != Some(&saved.task)
                && !self.idle.contains(&*want.task)
                && saved.had().any(|had| pools.contains(had))
                && saved.missing.is_none_or(|missing| !pools.contains(&missing))
        };
        wants.iter().any(|want| could(&want))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgq_core::Timestamp;
    use pgq_core::limit::{Bucket, Rate};

    use super::*;
    use crate::backend::{Measure, PoolName};
    use crate::platform::{ManualClock, Platform};
    use crate::runtime::limits::Limits;
    use crate::runtime::pool::Pool;
    use crate::runtime::service::Signal;

    const QUAY: usize = 0;
    const WHARF: usize = 1;

    /// A worker that has the one place of the quay, which tugs and skiffs have to have, and waits for the wharf, which only tugs have.
    struct Port {
        time: ManualClock,
        limits: Arc<Limits>,
    }

    impl Port {
        fn open() -> Self {
            let time = ManualClock::at(Timestamp::EPOCH);
            let platform = Platform::manual(time.clone());
            let limits = Arc::new(Limits::of(&[], 4, &platform, Signal::new()));
            limits.with(|state| {
                for limit in ["quay", "wharf"] {
                    let name = PoolName { limit: limit.into(), measure: Measure::Concurrency };
                    state.pools.push(Pool::new(Some(name), Some(1), &platform.clock));
                }
                state.pools[QUAY].units = 1;
                (state.pools[WHARF].blocked, state.pools[WHARF].wished) = (true, 1);
                state.of_task.extend([("tug", vec![QUAY, WHARF]), ("skiff", vec![QUAY])]);
                state.tasks.extend([("tug", "tug"), ("skiff", "skiff")]);
            });
            Self { time, limits }
        }

        /// How many of each could be claimed now.
        fn offers(&self) -> Vec<(String, u32)> {
            let wants = ["tug", "skiff"].map(|task| Want { queue: "default".into(), task: task.into(), cap: 4 });
            let offer = self.limits.offer(Arc::from(wants));
            offer.wants.iter().map(|want| (want.task.to_string(), want.cap)).collect()
        }

        fn leaves_the_quay_to_skiffs(&self) -> bool {
            self.offers().contains(&("skiff".to_owned(), 1))
        }

        fn wait(&self, millis: u64) -> &Self {
            self.time.advance(Duration::from_millis(millis));
            self
        }
    }

    #[test]
    fn one_is_saved_after_a_second_and_then_others_have_it_for_four_times_as_long() {
        let port = Port::open();
        assert!(port.leaves_the_quay_to_skiffs());
        for millis in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            if millis == 1_000 {
                assert!(port.wait(999).leaves_the_quay_to_skiffs());
                port.wait(1);
            }
            assert!(!port.leaves_the_quay_to_skiffs(), "it is saved");
            assert!(!port.wait(millis - 1).leaves_the_quay_to_skiffs(), "{millis} ms aren't over");
            assert!(port.wait(1).leaves_the_quay_to_skiffs(), "{millis} ms are over");
            assert!(port.wait(4 * millis - 1).leaves_the_quay_to_skiffs(), "it isn't their turn yet");
            port.wait(1);
        }
    }

    #[test]
    fn what_is_beyond_one_is_not_saved() {
        let port = Port::open();
        port.limits.with(|state| (state.pools[QUAY].units, state.pools[QUAY].cap) = (3, Some(3)));
        assert_eq!(port.offers(), [("skiff".to_owned(), 3)]);
        assert_eq!(
            port.wait(1_000).offers(),
            [("tug".to_owned(), 0), ("skiff".to_owned(), 2)],
            "and it is looked for tugs"
        );
    }

    #[test]
    fn what_is_missing_is_asked_for_before_others_until_one_starts() {
        let port = Port::open();
        let ahead = || port.limits.asks().iter().find(|(name, _)| &*name.limit == "wharf").map(|(_, ask)| ask.ahead);
        port.offers();
        assert_eq!(ahead(), None);
        port.wait(1_000).offers();
        assert_eq!((ahead(), port.limits.with(|state| state.pools[WHARF].urged)), (Some(true), true));
        port.wait(1_000).offers();
        assert!(port.limits.with(|state| state.pools[WHARF].urges), "others would save the same for want of the same");
        port.limits.with(|state| state.savings.set_right("tug", true, &port.limits.clock));
        port.offers();
        assert!(!port.limits.with(|state| state.pools[WHARF].urges), "one has started");
    }

    #[test]
    fn nothing_is_saved_by_who_comes_second() {
        let port = Port::open();
        port.offers();
        port.wait(1_000);
        assert!(!port.leaves_the_quay_to_skiffs());
        port.limits.with(|state| state.pools[WHARF].preceded = true);
        assert!(port.leaves_the_quay_to_skiffs());
        assert!(port.wait(3_999).leaves_the_quay_to_skiffs());
        assert!(!port.wait(1).leaves_the_quay_to_skiffs());
    }

    #[test]
    fn nothing_is_saved_where_nothing_can_start() {
        let closed = |state: &mut State| state.pools[WHARF].cap = Some(0);
        let full = |state: &mut State| state.full = true;
        let unwanted = |state: &mut State| state.pools[WHARF].crowded = true;
        let gone = |state: &mut State| _ = state.idle.insert("tug");
        for hinder in [closed as fn(&mut State), full, unwanted, gone] {
            let port = Port::open();
            port.offers();
            port.limits.with(hinder);
            assert!(port.wait(1_000).leaves_the_quay_to_skiffs());
        }
    }

    #[test]
    fn of_a_rate_that_soon_has_another_token_none_is_saved_before_all_else_is_there() {
        for (millis, is_used) in [(1_000, true), (1_001, false)] {
            let port = Port::open();
            port.limits.with(|state| {
                let rate = Rate::new(1.0, Duration::from_millis(millis)).unwrap();
                let quay = &mut state.pools[QUAY];
                quay.name = Some(PoolName { limit: "quay".into(), measure: Measure::Rate });
                quay.bucket = Some((Bucket::new(rate, 1, 1_000_000), port.limits.clock.mark()));
            });
            port.offers();
            assert_eq!(port.wait(1_000).leaves_the_quay_to_skiffs(), is_used, "a token each {millis} ms");
            port.limits.with(|state| assert!(state.pools[QUAY].saved.is_some(), "its unit stays"));
            port.limits.with(|state| state.pools[WHARF].units = 1);
            assert!(!port.leaves_the_quay_to_skiffs());
            assert!(port.offers().contains(&("tug".to_owned(), 1)));
        }
    }

    #[test]
    fn nothing_is_saved_of_what_nobody_else_could_use() {
        let port = Port::open();
        port.limits.with(|state| state.idle.insert("skiff"));
        port.offers();
        assert!(port.wait(1_000).leaves_the_quay_to_skiffs());
    }
}
