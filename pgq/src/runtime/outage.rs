//! What is said of a database that is away, or short of something, as where its disk is full, or denies a right. Every service of a worker meets it, and
//! meets it again until it is over: who operates the worker is told by one voice, and not each time. What comes and goes is told
//! of as that, each half minute.
//!
//! ```text
//!          a service can't get through             another half minute, or for another reason
//! there ────────────────────────────▶ away: told ────────────────────────────────────▶ told again, with how long it has been
//!   ▲                                   │
//!   └──── told, with how long it was ◀──┘ each that couldn't get through has, or has ended
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Kind};
use crate::platform::{Clock, Mark};

/// How often it is told that it isn't over.
const AGAIN: Duration = Duration::from_secs(30);

/// Errors for another reason that come so soon say the same again.
const MOMENT: Duration = Duration::from_secs(1);

/// What keeps services from their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// There is no working with the database.
    Away,
    /// It answers, and hasn't what a statement takes.
    Short,
    /// It answers, and says that the role may not.
    Denied,
}

impl Trouble {
    /// None where the error is of one turn, and nobody else's.
    fn of(error: &Error) -> Option<Self> {
        if error.is_short() {
            Some(Self::Short)
        } else if error.is_denied() {
            Some(Self::Denied)
        } else if error.is_away() {
            Some(Self::Away)
        } else {
            None
        }
    }

    /// What is told when it begins, when it comes and goes, while it lasts, and when it is over.
    const fn words(self) -> [&'static str; 4] {
        match self {
            Self::Away => [
                "the database is away: what runs goes on, nothing new begins, and it is tried again until it is back",
                "the database comes and goes: that is told once in half a minute",
                "the database is still away, after",
                "the database is back after",
            ],
            Self::Short => [
                "the database is short of something: what can't be written is kept, and tried again until it can",
                "the database is short of something now and then: that is told once in half a minute",
                "the database is still short of something, after",
                "the database has what it was short of, after",
            ],
            Self::Denied => [
                "the database denies a right: what can't be written is kept, and tried again until it can",
                "the database denies a right now and then: that is told once in half a minute",
                "the database still denies a right, after",
                "the database denies no right any more, after",
            ],
        }
    }
}

/// Whether the database is away or short of something, as the services of one worker see it. Outlives its sessions, as an outage
/// may.
#[derive(Debug)]
pub(super) struct Outage {
    clock: Clock,
    away: Mutex<Seen>,
    short: Mutex<Seen>,
    denied: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    spell: Option<Spell>,
    /// When the last one was over.
    back: Option<Mark>,
    /// When it was last told that there is one, if not that it is over since.
    told: Option<Mark>,
}

/// From when somebody couldn't get through until all of them have.
#[derive(Debug)]
struct Spell {
    since: Mark,
    /// Who couldn't get through.
    services: BTreeSet<&'static str>,
    /// What was told: the first is often only that of a connection which broke, and the next says why.
    reasons: Vec<Reason>,
    /// Somebody has got through since somebody couldn't.
    reached: bool,
    /// It had been back for a moment only, so that its end isn't told: the next one may follow as soon.
    again: bool,
}

/// Why somebody can't get through: by our word for it, and the server's.
type Reason = (Kind, Option<String>);

/// What is told.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Begun,
    ComesAndGoes,
    Still(Duration, String),
    Back(Duration),
}

impl Seen {
    fn lost(&mut self, service: &'static str, reason: Reason, now: Mark) -> Option<Line> {
        let first = self.spell.is_none();
        let again = first && self.back.as_ref().is_some_and(|back| back.elapsed() < AGAIN);
        let spell = self.spell.get_or_insert_with(|| Spell {
            since: now.clone(),
            services: BTreeSet::new(),
            reasons: Vec::new(),
            reached: false,
            again,
        });
        spell.services.insert(service);
        spell.reached = false;
        let other = !spell.reasons.contains(&reason);
        let quiet = if other && !spell.again { MOMENT } else { AGAIN };
        if !(first && !again || self.told.as_ref().is_none_or(|told| told.elapsed() >= quiet)) {
            return None;
        }
        if other {
            spell.reasons.push(reason);
        }
        self.told = Some(now);
        if first {
            return Some(if again { Line::ComesAndGoes } else { Line::Begun });
        }
        spell.again = false;
        Some(Line::Still(spell.since.elapsed(), Vec::from_iter(spell.services.clone()).join(", ")))
    }

    fn over(&mut self, service: &'static str, reached: bool, now: Mark) -> Option<Line> {
        let spell = self.spell.as_mut()?;
        spell.services.remove(service);
        spell.reached |= reached;
        let over = self.spell.take_if(|spell| spell.services.is_empty()).filter(|spell| spell.reached)?;
        self.back = Some(now);
        if over.again {
            return None;
        }
        self.told = None;
        Some(Line::Back(over.since.elapsed()))
    }
}

impl Outage {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, away: Mutex::default(), short: Mutex::default(), denied: Mutex::default() }
    }

    /// Whether a service got through when it last tried.
    pub(super) fn reaches(&self, service: &str) -> bool {
        self.with(Trouble::Away, |seen| seen.spell.as_ref().is_none_or(|spell| !spell.services.contains(service)))
    }

    pub(super) fn is_on(&self) -> bool {
        self.with(Trouble::Away, |seen| seen.spell.is_some())
    }

    fn with<T>(&self, trouble: Trouble, look: impl FnOnce(&mut Seen) -> T) -> T {
        let seen = match trouble {
            Trouble::Away => &self.away,
            Trouble::Short => &self.short,
            Trouble::Denied => &self.denied,
        };
        look(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lost(&self, trouble: Trouble, service: &'static str, error: &Error) {
        let line = self.with(trouble, |seen| seen.lost(service, error.reason(), self.clock.mark()));
        let error = error.in_line();
        let [begun, comes_and_goes, still, _] = trouble.words();
        match line {
            Some(Line::Begun) => tracing::warn!(error, "{begun}"),
            Some(Line::ComesAndGoes) => tracing::warn!(error, service, "{comes_and_goes}"),
            Some(Line::Still(span, services)) => tracing::warn!(error, services, "{still} {span:.1?}"),
            Some(Line::Back(_)) | None => {}
        }
    }

    fn over(&self, trouble: Trouble, service: &'static str, reached: bool) {
        let line = self.with(trouble, |seen| seen.over(service, reached, self.clock.mark()));
        if let Some(Line::Back(span)) = line {
            let [.., back] = trouble.words();
            tracing::info!("{back} {span:.1?}");
        }
    }
}

/// Whether it is what the one voice tells of.
pub(super) fn is_told(error: &Error) -> bool {
    Trouble::of(error).is_some()
}

/// A service's part in it. Dropped, it says nothing more: who has ended isn't waited for.
pub(super) struct Voice {
    outage: Arc<Outage>,
    service: &'static str,
    /// What kept it from its work since it last did some.
    troubles: Vec<Trouble>,
}

impl Voice {
    pub(super) fn of(outage: &Arc<Outage>, service: &'static str) -> Self {
        Self { outage: Arc::clone(outage), service, troubles: Vec::new() }
    }

    /// It couldn't get through, or was told that there isn't what it takes, or that it may not.
    pub(super) fn lost(&mut self, error: &Error) {
        let Some(trouble) = Trouble::of(error) else { return };
        if trouble != Trouble::Away {
            // Who says so is there.
            self.is_over(Trouble::Away);
        }
        if !self.troubles.contains(&trouble) {
            self.troubles.push(trouble);
        }
        self.outage.lost(trouble, self.service, error);
    }

    /// It got through.
    pub(super) fn reached(&mut self) {
        for trouble in [Trouble::Away, Trouble::Short, Trouble::Denied] {
            self.is_over(trouble);
        }
    }

    fn is_over(&mut self, trouble: Trouble) {
        if let Some(place) = self.troubles.iter().position(|one| *one == trouble) {
            self.troubles.remove(place);
            self.outage.over(trouble, self.service, true);
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        for trouble in std::mem::take(&mut self.troubles) {
            self.outage.over(trouble, self.service, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use pgq_core::Timestamp;

    use super::*;
    use crate::testing::ManualClock;

    const BEAT: Duration = Duration::from_secs(1);

    struct Scene {
        seen: Seen,
        hand: ManualClock,
        clock: Clock,
    }

    impl Scene {
        fn new() -> Self {
            let hand = ManualClock::at(Timestamp::EPOCH);
            Self { seen: Seen::default(), clock: Clock::Manual(hand.clone()), hand }
        }

        fn lost(&mut self) -> Option<Line> {
            self.lost_by((Kind::Unreachable, None))
        }

        fn lost_by(&mut self, reason: Reason) -> Option<Line> {
            self.seen.lost("heartbeat", reason, self.clock.mark())
        }

        fn reached(&mut self) -> Option<Line> {
            self.seen.over("heartbeat", true, self.clock.mark())
        }

        /// Away for so long, and back; what is told.
        fn outage(&mut self, span: Duration) -> (Option<Line>, Option<Line>) {
            let lost = self.lost();
            self.hand.advance(span);
            (lost, self.reached())
        }
    }

    #[test]
    fn a_database_that_comes_and_goes_is_told_of_once_in_half_a_minute() {
        let mut scene = Scene::new();
        assert_eq!(scene.outage(BEAT), (Some(Line::Begun), Some(Line::Back(BEAT))));
        let mut told = Vec::new();
        for second in 1..=60 {
            scene.hand.advance(BEAT);
            let (lost, back) = scene.outage(Duration::ZERO);
            assert_eq!(back, None);
            told.extend(lost.map(|line| (second, line)));
        }
        assert_eq!(told, [(1, Line::ComesAndGoes), (31, Line::ComesAndGoes)]);
        scene.hand.advance(AGAIN);
        assert_eq!(scene.outage(BEAT), (Some(Line::Begun), Some(Line::Back(BEAT))));
    }

    #[test]
    fn one_that_came_and_went_and_stays_away_is_told_of_until_it_is_back() {
        let mut scene = Scene::new();
        scene.outage(BEAT);
        assert_eq!(scene.outage(BEAT), (Some(Line::ComesAndGoes), None));
        assert_eq!(scene.lost(), None);
        scene.hand.advance(AGAIN);
        assert_eq!(scene.lost(), Some(Line::Still(AGAIN, "heartbeat".to_owned())));
        assert_eq!(scene.reached(), Some(Line::Back(AGAIN)));
    }

    #[test]
    fn another_reason_is_told_once_and_soon() {
        let mut scene = Scene::new();
        let (ends, reads) =
            (|| (Kind::Overtaxed, Some("57P01".to_owned())), || (Kind::Overtaxed, Some("25006".to_owned())));
        assert_eq!(scene.lost_by(ends()), Some(Line::Begun));
        scene.hand.advance(BEAT);
        assert_eq!(scene.lost_by(reads()), Some(Line::Still(BEAT, "heartbeat".to_owned())));
        for reason in [ends(), reads()] {
            scene.hand.advance(BEAT);
            assert_eq!(scene.lost_by(reason), None);
        }
    }
}
