//! Whose lease is over: who hasn't beaten for longer than it lasts, by the clock of the worker who asks.
//!
//! Beats are dated by the database, whose clock may be set at any time: an hour on, and everybody would have been silent for
//! an hour; an hour back, and nobody would be for the next one. So an asker goes by what it has seen. It looks at the beats of
//! the others with each of its own, and measures for how long each has been the same, by a clock that nobody sets.
//!
//! ```text
//! another beat than at the last look ──▶ silent, since the beat, but at most since the last look
//!   ▲                                          │ the same beat at every look, for longer than the lease
//!   └───────────────── beats ◀─────────────────┤
//!                                              ▼
//!                                          its lease is over
//! ```
//!
//! The date of a beat only says when, between two looks, it was. So a clock that is set makes an asker wrong by no more than
//! the time between two looks, and by half a lease at most, and who beats is safe from it. What an asker can't have seen doesn't count:
//!
//! | What happens | What follows |
//! |---|---|
//! | a worker dies | the others have seen its last beat, or see it with the next look; its lease is over when it would be by a right clock |
//! | the asker dies | others have looked too; who begins knows nothing of the time before it began |
//! | the server is another one, or the same one that has started again | all that was seen begins anew: nobody could beat meanwhile |
//! | the server gives no answer for a while | the time of a look itself doesn't count, as others may have had no answer either |
//! | the asker's own beats are refused | it says nothing, and then counts from the first that wasn't (`witness.rs`) |
//! | the asker is stopped, and goes on | it looks before it says anything, and whoever has beaten meanwhile is safe |

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pgq_core::{Lease, Timestamp};

use crate::platform::{Clock, Mark};

/// A worker's last beat, and for how long its lease lasts without another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    pub(super) lease: Lease,
    pub(super) at: Timestamp,
    pub(super) span: Duration,
}

/// What one look has seen.
#[derive(Debug)]
pub(super) struct Look {
    /// When it was begun.
    pub(super) asked: Mark,
    /// The database's time, and since when that server has been there.
    pub(super) now: Timestamp,
    pub(super) server: Timestamp,
    /// Of all others.
    pub(super) beats: Vec<Beat>,
}

/// What an asker has seen of the others, with its beats and when it looked for those that are gone.
#[derive(Debug)]
pub(super) struct Vigil(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    looked: Mark,
    server: Option<Timestamp>,
    silent: HashMap<Lease, Silent>,
}

#[derive(Debug)]
struct Silent {
    beat: Beat,
    /// For how long, at the last look.
    span: Duration,
}

impl Vigil {
    pub(super) fn begin(clock: &Clock) -> Self {
        Self(Mutex::new(Seen { looked: clock.mark(), server: None, silent: HashMap::new() }))
    }

    /// The lock is held for a moment, never across a statement.
    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn look(&self, look: Look, clock: &Clock) {
        self.with(|seen| seen.look(look, clock));
    }

    /// Whose lease was over at the last look, and their last beats; of what was seen in so much time, if not in all.
    pub(super) fn over(&self, within: Option<Duration>) -> Vec<(Lease, Timestamp)> {
        self.with(|seen| {
            let over = seen.silent.values().filter(|silent| silent.rest(within).is_none());
            over.map(|silent| (silent.beat.lease, silent.beat.at)).collect()
        })
    }

    /// How long until the next lease is over.
    pub(super) fn next(&self, within: Option<Duration>) -> Option<Duration> {
        self.with(|seen| seen.silent.values().filter_map(|silent| silent.rest(within)).min())
    }

    /// How long until there is somebody whose lease is over; nothing, where there is.
    pub(super) fn lapse(&self) -> Option<Duration> {
        self.with(|seen| seen.silent.values().map(|silent| silent.rest(None).unwrap_or_default()).min())
    }
}

impl Seen {
    fn look(&mut self, look: Look, clock: &Clock) {
        let Look { asked, now, server, beats } = look;
        let is_another = self.server.is_some_and(|before| before != server);
        let passed = if is_another { Duration::ZERO } else { self.looked.elapsed().saturating_sub(asked.elapsed()) };
        let mut before = if is_another { HashMap::new() } else { std::mem::take(&mut self.silent) };
        let silent = beats.into_iter().map(|beat| {
            let span = match before.remove(&beat.lease) {
                Some(seen) if seen.beat.at == beat.at => seen.span.saturating_add(passed),
                // Who looks seldom, at one whose lease is short, isn't to take what the clock says for all of it.
                Some(_) => now.since(beat.at).min(passed).min(beat.span / 2),
                None => now.since(beat.at).min(passed),
            };
            (beat.lease, Silent { beat, span })
        });
        self.silent = silent.collect();
        (self.looked, self.server) = (clock.mark(), Some(server));
    }
}

impl Silent {
    /// What is left of the lease.
    fn rest(&self, within: Option<Duration>) -> Option<Duration> {
        self.beat.span.checked_sub(within.map_or(self.span, |within| self.span.min(within)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::ManualClock;

    const LEASE: Lease = Lease(7);
    const SPAN: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);
    /// Two seconds less than a lease.
    const REST: Duration = Duration::from_secs(28);

    struct Watch {
        vigil: Vigil,
        time: ManualClock,
        server: Timestamp,
    }

    impl Watch {
        fn new() -> Self {
            let time = ManualClock::at(Timestamp::from_micros(1_000_000_000_000));
            Self { vigil: Vigil::begin(&Clock::Manual(time.clone())), time, server: Timestamp::EPOCH }
        }

        /// Looks at a worker that has beaten at this time, by a look that takes so long; whether its lease is over.
        fn see(&mut self, at: Timestamp, took: Duration) -> bool {
            let clock = Clock::Manual(self.time.clone());
            let asked = clock.mark();
            self.time.advance(took);
            let beats = vec![Beat { lease: LEASE, at, span: SPAN }];
            self.vigil.look(Look { asked, now: self.time.now(), server: self.server, beats }, &clock);
            !self.vigil.over(None).is_empty()
        }

        fn see_after(&mut self, pause: Duration, at: Timestamp) -> bool {
            self.time.advance(pause);
            self.see(at, Duration::ZERO)
        }
    }

    #[test]
    fn a_lease_is_over_as_long_after_the_beat_as_it_lasts() {
        let mut watch = Watch::new();
        watch.time.advance(SECOND);
        let beat = watch.time.now();
        assert!(!watch.see_after(SECOND * 2, beat));
        assert_eq!(watch.vigil.next(None), Some(REST));
        assert!(!watch.see_after(REST, beat));
        assert!(watch.see_after(Duration::from_micros(1), beat));
        assert_eq!(watch.vigil.next(None), None, "of what is over nothing is to come");
        assert!(watch.vigil.over(Some(SPAN)).is_empty(), "it was seen for no longer than a lease");
    }

    #[test]
    fn what_was_before_the_asker_began_does_not_count() {
        let mut watch = Watch::new();
        let long_ago = Timestamp::EPOCH;
        assert!(!watch.see(long_ago, Duration::ZERO));
        assert!(!watch.see_after(SPAN, long_ago));
        assert!(watch.see_after(SECOND, long_ago));
    }

    #[test]
    fn a_clock_that_is_set_makes_nobody_silent_and_lets_nobody_be_silent_for_longer() {
        for hour in [0, 3_600_000_000_000] {
            let mut watch = Watch::new();
            let beat = watch.time.now();
            assert!(!watch.see_after(SECOND, beat));
            watch.time.set(Timestamp::from_micros(hour));
            assert!(!watch.see_after(SECOND, beat));
            assert!(!watch.see_after(REST, beat));
            assert!(watch.see_after(SECOND, beat));
        }
    }

    #[test]
    fn a_beat_before_the_clock_was_set_is_no_older_than_the_look_before() {
        let mut watch = Watch::new();
        watch.see(watch.time.now(), Duration::ZERO);
        watch.time.advance(SECOND);
        let beat = watch.time.now();
        watch.time.set(Timestamp::from_micros(3_600_000_000_000));
        assert!(!watch.see_after(SECOND, beat));
        assert_eq!(watch.vigil.next(None), Some(REST));
    }

    #[test]
    fn who_has_beaten_since_the_last_look_has_half_a_lease_left_whatever_the_clock_says() {
        let mut watch = Watch::new();
        watch.see(watch.time.now(), Duration::ZERO);
        watch.time.advance(SPAN * 2);
        let beat = watch.time.now();
        watch.time.set(Timestamp::from_micros(3_600_000_000_000));
        assert!(!watch.see(beat, Duration::ZERO));
        assert_eq!(watch.vigil.next(None), Some(SPAN / 2));
    }

    #[test]
    fn while_the_server_gives_no_answer_or_starts_again_nobody_is_silent() {
        let mut watch = Watch::new();
        let beat = watch.time.now();
        assert!(!watch.see(beat, Duration::ZERO));
        assert!(!watch.see(beat, SPAN * 2));
        assert_eq!(watch.vigil.next(None), Some(SPAN));
        watch.server = watch.time.now();
        assert!(!watch.see_after(SPAN * 2, beat));
        assert_eq!(watch.vigil.next(None), Some(SPAN));
    }
}
