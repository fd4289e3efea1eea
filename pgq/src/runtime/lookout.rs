//! What a worker that rests would ask for by itself, and the heartbeat asks for all of its services at once.
//!
//! ```text
//! claimer   ──"I'd claim these"──▶ ┌─────────┐                     ┌───────────┐
//! promoter  ──"I wait so long"───▶ │ lookout │ ──with each beat──▶ │ the queue │
//! ticker    ──"I saw this"───────▶ └─────────┘                     └───────────┘
//!    ▲                                                                   │
//!    └──────────────── a signal, where there is something ◀──────────────┘
//! ```
//!
//! So whoever has nothing to do costs one statement in [`LOOK`], and what no notice told of is found as soon. While beats aren't
//! answered, or looking takes long, each service looks by itself each second; now and then it also does while they are. A look that
//! takes too long must not cost the sign of life that it went with: the server ends it, the beat goes out again by itself at once, and for
//! a while beats look for nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgq_core::{Timestamp, lease};

use super::engine::Engine;
use crate::backend::{LookFor, Outlook, Want};
use crate::platform::Mark;

/// The longest time between two looks, which come with signs of life.
pub(super) const LOOK: Duration = lease::LONGEST_REST;
/// The time between two looks of a service by itself while beats look for it; more or less, so that a fleet's don't meet.
const BACKSTOP: Duration = Duration::from_mins(2);
/// A beat that took so long shall be no more than that for a while.
const LONG: Duration = Duration::from_millis(200);
/// But on a long way: a look is slow that takes so many times as long as a beat that looks for nothing.
const MUCH: u32 = 4;
/// For how many times as long as it took. Where there was no answer nobody knows how long it would have taken: twice as long each time,
/// at most until services look by themselves anyway.
const PAUSE: u32 = 10;
/// For how long a rescue that found nothing to do isn't called for what was left: each scans all jobs.
const IN_VAIN: Duration = Duration::from_secs(10);
/// What is due so much sooner than was thought is worth another look.
const SOONER: Duration = Duration::from_millis(50);

/// A clock that is so far from where it was expected was set, or this machine has slept.
const SET: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Lookout(Mutex<State>);

/// What a beat looks for.
pub(super) enum Ask {
    For(LookFor),
    /// Nothing: another has a moment ago.
    Nothing,
    /// Nothing, as that is slow: each service looks by itself.
    Slow,
}

#[derive(Debug, Default)]
struct State {
    /// Beats are answered, and with what they saw.
    tells: bool,
    /// When a beat looked last.
    looked: Option<Mark>,
    /// What was slow, and for how long nothing is looked for since.
    slow: Option<(Mark, Duration)>,
    /// So many looks in a row got no answer.
    in_vain: u32,
    /// What a beat takes that looks for nothing.
    bare: Duration,
    /// What would be claimed; empty while the claimer looks by itself.
    wants: Arc<[Want]>,
    suspect: bool,
    /// When the promoter looks by itself.
    promotes: Option<(Mark, Duration)>,
    /// The schedules as they were last seen.
    schedules: Option<Schedules>,
    /// Something is left of who is gone.
    left: bool,
    /// When a rescue found nothing to do all the same: what is left, somebody has locked or nobody can free.
    rescued_in_vain: Option<Mark>,
}

/// As they were; when that was by the backend's clock, where there are any, and by this one.
#[derive(Debug)]
struct Schedules {
    mark: i64,
    now: Option<Timestamp>,
    seen: Mark,
}

impl Lookout {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the beat looks for that is sent now.
    pub(super) fn asks(&self, now: Mark) -> Ask {
        self.with(|state| {
            state.slow.take_if(|(mark, pause)| mark.elapsed() >= *pause);
            if state.slow.is_some() {
                return Ask::Slow;
            }
            if state.looked.as_ref().is_some_and(|looked| looked.elapsed() < LOOK) {
                return Ask::Nothing;
            }
            state.looked = Some(now);
            Ask::For(LookFor {
                wants: Arc::clone(&state.wants),
                suspect: state.suspect,
                due: state.promotes.is_some(),
                schedules: state.schedules.is_some(),
                lost: true,
            })
        })
    }

    /// A beat that looked was answered.
    pub(super) fn answered(&self, sent: Mark) {
        let took = sent.elapsed();
        self.with(|state| {
            state.tells = true;
            state.in_vain = 0;
            let slow = took >= LONG.max(state.bare.saturating_mul(MUCH));
            state.slow = slow.then(|| (sent, took.saturating_mul(PAUSE)));
            // The first beat on a connection takes longer than others.
            state.bare = state.bare.min(took);
        });
    }

    /// A beat that looked got no answer, or was refused.
    pub(super) fn looked_in_vain(&self, sent: Mark) {
        let took = sent.elapsed();
        self.with(|state| {
            let times = PAUSE.saturating_mul(1_u32.checked_shl(state.in_vain).unwrap_or(u32::MAX));
            state.in_vain += 1;
            state.slow = Some((sent, took.saturating_mul(times).min(BACKSTOP)));
        });
    }

    /// A beat was answered that looked for nothing.
    pub(super) fn beaten(&self, sent: &Mark) {
        let took = sent.elapsed();
        self.with(|state| state.bare = took);
    }

    /// Beats don't tell; whether they did.
    pub(super) fn fell_silent(&self) -> bool {
        self.with(|state| std::mem::take(&mut state.tells))
    }

    pub(super) fn tells(&self) -> bool {
        self.with(|state| state.tells)
    }

    /// The claimer rests, and would claim these; none while it doesn't.
    pub(super) fn claims(&self, wants: Arc<[Want]>, suspect: bool) {
        self.with(|state| (state.wants, state.suspect) = (wants, suspect));
    }

    /// What the claimer would claim, where it rests.
    fn wants(&self) -> Arc<[Want]> {
        self.with(|state| Arc::clone(&state.wants))
    }

    /// The promoter rests for so long.
    pub(super) fn promotes_in(&self, mark: Mark, span: Duration) {
        self.with(|state| state.promotes = Some((mark, span)));
    }

    /// Whether something is due before the promoter looks.
    pub(super) fn is_sooner(&self, due: Duration) -> bool {
        let rest = |(mark, span): &(Mark, Duration)| span.saturating_sub(mark.elapsed());
        self.with(|state| state.promotes.as_ref().is_some_and(|promotes| due + SOONER < rest(promotes)))
    }

    /// The schedules as the ticker saw them.
    pub(super) fn saw_schedules(&self, mark: i64, now: Option<Timestamp>, seen: Mark) {
        self.with(|state| state.schedules = Some(Schedules { mark, now, seen }));
    }

    /// The rescuer has looked, and whether there was something to do.
    pub(super) fn has_rescued(&self, now: Mark, something: bool) {
        self.with(|state| state.rescued_in_vain = (state.left && !something).then_some(now));
    }

    /// Whether what is left of who is gone, if anything, is worth a rescue.
    pub(super) fn is_worth_rescue(&self, left: bool) -> bool {
        self.with(|state| {
            state.left = left;
            left && state.rescued_in_vain.as_ref().is_none_or(|since| since.elapsed() >= IN_VAIN)
        })
    }

    /// Whether the schedules are others than the ticker saw, or the clock by which they tick was set.
    pub(super) fn has_new_schedules(&self, mark: i64, now: Timestamp) -> bool {
        let is_new = |seen: &Schedules| {
            let expected = seen.now.map_or(now, |then| then.saturating_add(seen.seen.elapsed()));
            mark != seen.mark || now.since(expected).max(expected.since(now)) > SET
        };
        self.with(|state| state.schedules.as_ref().is_some_and(is_new))
    }
}

impl Engine {
    /// How long a service may rest that else looks so often by itself.
    pub(super) fn rest(&self, alone: Duration) -> Duration {
        if self.lookout.tells() { BACKSTOP.mul_f64(0.8 + 0.4 * self.platform.random()) } else { alone }
    }

    /// What this worker would claim at once if somebody called its claimer, where it rests and runs nothing: who runs something leaves
    /// what comes to others who rest.
    pub(super) fn would_claim(&self) -> Arc<[Want]> {
        let is_idle = self.slots.taken() == 0 && !self.outbox.holds_up();
        let may_start = !self.tenure.is_doubtful() && !self.halt.drain.is_cancelled();
        if is_idle && may_start { self.lookout.wants() } else { Arc::default() }
    }

    /// Calls whoever has something to do by what a beat saw.
    pub(super) fn heed(&self, asked: &LookFor, seen: &Outlook, next: Duration) {
        let lookout = &self.lookout;
        if seen.ready {
            self.stir.raise();
        }
        if seen.due.is_some_and(|due| lookout.is_sooner(due)) {
            self.due.raise();
        }
        if asked.schedules && lookout.has_new_schedules(seen.mark, seen.now) || seen.overdue && self.duties.fires() {
            self.ticks.raise();
        }
        if lookout.is_worth_rescue(seen.lost) || seen.lapse.is_some_and(|lapse| lapse < next) {
            self.lost_one.raise();
        }
    }

    /// Everybody has to look by himself from now on.
    pub(super) fn look_alone(&self) {
        if self.lookout.fell_silent() {
            for signal in [&self.stir, &self.due, &self.ticks, &self.lost_one] {
                signal.raise();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Clock, ManualClock};

    const BEAT: Duration = Duration::from_millis(100);

    struct Scene {
        lookout: Lookout,
        hand: ManualClock,
        clock: Clock,
    }

    impl Scene {
        fn new() -> Self {
            let hand = ManualClock::at(Timestamp::EPOCH);
            Self { lookout: Lookout::default(), clock: Clock::Manual(hand.clone()), hand }
        }

        /// Beats for so long; how often it looks, each time for so long, or in vain.
        fn looks(&self, span: Duration, took: Duration, in_vain: bool) -> u32 {
            let (begun, mut looks) = (self.clock.mark(), 0);
            while begun.elapsed() < span {
                let sent = self.clock.mark();
                if let Ask::For(_) = self.lookout.asks(sent.clone()) {
                    looks += 1;
                    self.hand.advance(took);
                    if in_vain { self.lookout.looked_in_vain(sent) } else { self.lookout.answered(sent) }
                }
                self.hand.advance(BEAT);
            }
            looks
        }
    }

    #[test]
    fn beats_that_come_more_often_look_no_more_often() {
        let looks = Scene::new().looks(Duration::from_mins(1), Duration::ZERO, false);
        assert!((50..=52).contains(&looks), "{looks}");
    }

    #[test]
    fn looks_without_an_answer_pause_for_longer_each_time() {
        let scene = Scene::new();
        let (took, hour) = (Duration::from_millis(300), Duration::from_hours(1));
        // 3, 6, 12, 24, 48, 96 s, and two minutes each time.
        let looks = scene.looks(hour, took, true);
        assert!((33..=36).contains(&looks), "{looks}");
        scene.hand.advance(BACKSTOP);
        scene.looks(BEAT, Duration::ZERO, false);
        assert!(scene.looks(Duration::from_mins(1), Duration::ZERO, false) > 45, "one was answered again");
    }

    #[test]
    fn a_look_is_slow_by_what_a_beat_takes_without() {
        for (way, took, slow) in [(0, 150, false), (0, 250, true), (240, 250, false), (240, 2_000, true)] {
            let scene = Scene::new();
            let sent = scene.clock.mark();
            scene.hand.advance(Duration::from_millis(way));
            scene.lookout.beaten(&sent);
            scene.looks(BEAT, Duration::from_millis(took), false);
            scene.hand.advance(LOOK);
            let ask = scene.lookout.asks(scene.clock.mark());
            assert_eq!(matches!(ask, Ask::Slow), slow, "{took} ms after {way}");
        }
    }

    #[test]
    fn what_a_rescue_could_not_free_is_left_alone_for_a_while() {
        let time = ManualClock::at(Timestamp::EPOCH);
        let (lookout, clock) = (Lookout::default(), Clock::Manual(time.clone()));
        lookout.has_rescued(clock.mark(), false);
        assert!(lookout.is_worth_rescue(true), "nothing was left when that looked");
        lookout.has_rescued(clock.mark(), false);
        assert!(!lookout.is_worth_rescue(true));
        time.advance(IN_VAIN);
        assert!(lookout.is_worth_rescue(true));
        lookout.has_rescued(clock.mark(), true);
        assert!(lookout.is_worth_rescue(true), "there may be more");
        assert!(!lookout.is_worth_rescue(false));
    }
}
