//! What is said of a database that is away. Every service of a worker meets it, and meets it again until it is back: who operates
//! the worker is told by one voice, and not each time. One that comes and goes is told of as that, each half minute.
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

/// How often it is told that the database is still away.
const AGAIN: Duration = Duration::from_secs(30);

/// Errors of another kind that come so soon say the same again.
const MOMENT: Duration = Duration::from_secs(1);

/// Whether the database is away, as the services of one worker see it. Outlives its sessions, as an outage may.
#[derive(Debug)]
pub(super) struct Outage {
    clock: Clock,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    away: Option<Away>,
    /// When it was back last.
    back: Option<Mark>,
    /// When it was last told that it is away, if not that it is back since.
    told: Option<Mark>,
}

#[derive(Debug)]
struct Away {
    since: Mark,
    /// Who couldn't get through.
    services: BTreeSet<&'static str>,
    /// The kinds of errors that were told: the first is often only that of a connection which broke, and the next says why.
    kinds: Vec<Kind>,
    /// Somebody has got through since somebody couldn't.
    reached: bool,
    /// It had been back for a moment only, so that its end isn't told: the next one may follow as soon.
    again: bool,
}

/// What is told.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Away,
    ComesAndGoes,
    Still(Duration, String),
    Back(Duration),
}

impl Seen {
    fn lost(&mut self, service: &'static str, kind: Kind, now: Mark) -> Option<Line> {
        let first = self.away.is_none();
        let again = first && self.back.as_ref().is_some_and(|back| back.elapsed() < AGAIN);
        let away = self.away.get_or_insert_with(|| Away {
            since: now.clone(),
            services: BTreeSet::new(),
            kinds: Vec::new(),
            reached: false,
            again,
        });
        away.services.insert(service);
        away.reached = false;
        let other = !away.kinds.contains(&kind);
        let quiet = if other && !away.again { MOMENT } else { AGAIN };
        if !(first && !again || self.told.as_ref().is_none_or(|told| told.elapsed() >= quiet)) {
            return None;
        }
        if other {
            away.kinds.push(kind);
        }
        self.told = Some(now);
        if first {
            return Some(if again { Line::ComesAndGoes } else { Line::Away });
        }
        away.again = false;
        Some(Line::Still(away.since.elapsed(), Vec::from_iter(away.services.clone()).join(", ")))
    }

    fn over(&mut self, service: &'static str, reached: bool, now: Mark) -> Option<Line> {
        let away = self.away.as_mut()?;
        away.services.remove(service);
        away.reached |= reached;
        let over = self.away.take_if(|away| away.services.is_empty()).filter(|away| away.reached)?;
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
        Self { clock, seen: Mutex::default() }
    }

    /// Whether a service got through when it last tried.
    pub(super) fn reaches(&self, service: &str) -> bool {
        self.with(|seen| seen.away.as_ref().is_none_or(|away| !away.services.contains(service)))
    }

    pub(super) fn is_on(&self) -> bool {
        self.with(|seen| seen.away.is_some())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lost(&self, service: &'static str, error: &Error) {
        let line = self.with(|seen| seen.lost(service, error.kind(), self.clock.mark()));
        let error = error.in_line();
        match line {
            Some(Line::Away) => tracing::warn!(
                error,
                "the database is away: what runs goes on, nothing new begins, and it is tried again until it is back"
            ),
            Some(Line::ComesAndGoes) => {
                tracing::warn!(error, service, "the database comes and goes: that is told once in half a minute");
            }
            Some(Line::Still(span, services)) => {
                tracing::warn!(error, services, "the database is still away, after {span:.1?}");
            }
            Some(Line::Back(_)) | None => {}
        }
    }

    fn over(&self, service: &'static str, reached: bool) {
        if let Some(Line::Back(span)) = self.with(|seen| seen.over(service, reached, self.clock.mark())) {
            tracing::info!("the database is back after {span:.1?}");
        }
    }
}

/// A service's part in it. Dropped, it says nothing more: who has ended isn't waited for.
pub(super) struct Voice {
    outage: Arc<Outage>,
    service: &'static str,
    /// Whether it couldn't get through the last time.
    cut_off: bool,
}

impl Voice {
    pub(super) fn of(outage: &Arc<Outage>, service: &'static str) -> Self {
        Self { outage: Arc::clone(outage), service, cut_off: false }
    }

    /// It couldn't get through.
    pub(super) fn lost(&mut self, error: &Error) {
        self.cut_off = true;
        self.outage.lost(self.service, error);
    }

    /// It got through.
    pub(super) fn reached(&mut self) {
        if std::mem::take(&mut self.cut_off) {
            self.outage.over(self.service, true);
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        if self.cut_off {
            self.outage.over(self.service, false);
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
            self.seen.lost("heartbeat", Kind::Unreachable, self.clock.mark())
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
        assert_eq!(scene.outage(BEAT), (Some(Line::Away), Some(Line::Back(BEAT))));
        let mut told = Vec::new();
        for second in 1..=60 {
            scene.hand.advance(BEAT);
            let (lost, back) = scene.outage(Duration::ZERO);
            assert_eq!(back, None);
            told.extend(lost.map(|line| (second, line)));
        }
        assert_eq!(told, [(1, Line::ComesAndGoes), (31, Line::ComesAndGoes)]);
        scene.hand.advance(AGAIN);
        assert_eq!(scene.outage(BEAT), (Some(Line::Away), Some(Line::Back(BEAT))));
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
}
