//! What a worker has of a pool, what it says of it, and what it is told.

use std::time::Duration;

use super::Rate;
use super::divide::Stake;
use crate::{Lease, Timestamp, lease};

/// What one worker has of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Whose it is.
    pub lease: Lease,
    /// Its units, and how many it would like to have in all.
    pub stake: Stake,
    /// Since when it has waited, if it waits, or has been awaited.
    pub since: Timestamp,
    /// It waits before those who don't.
    pub ahead: bool,
    /// Millionths of a token that it was given and hasn't fetched.
    pub micros: u64,
    /// When it has its next token with the units that it has, where it has said so.
    pub next: Option<Timestamp>,
    /// Where it hasn't said yet what it runs since nothing bounded that: while there are such, nothing is given.
    pub awaited: Option<Awaited>,
    /// It gives no sign of life just now ([`is_silent`]): it is given nothing, and told of what is free.
    pub silent: bool,
}

/// Whether a worker whose lease lasts so long, and who gave a sign of life then, is [silent](lease::silence), as far as `latest` goes,
/// the last one of anybody: what it is given would lie there until its lease is over. Where nobody gives any, as the database is slow or
/// somebody has set its clock, nobody is.
#[must_use]
pub fn is_silent(beat: Timestamp, span: Duration, latest: Timestamp) -> bool {
    latest.since(beat) > lease::silence(span)
}

/// How a worker lives that is waited for: until it speaks or is declared gone. One that gives signs of life for as long as a lease
/// lasts, and doesn't speak, isn't waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its last sign of life.
    pub beat: Timestamp,
    /// How long its lease lasts.
    pub span: Duration,
}

impl Awaited {
    /// For how much longer it is, if it goes on giving signs of life, having been so since that instant.
    pub(super) fn rest(self, since: Timestamp, now: Timestamp) -> Duration {
        since.saturating_add(self.span).since(now)
    }

    /// Whether it still is, having been so since that instant.
    #[must_use]
    pub fn is_so(self, since: Timestamp, now: Timestamp) -> bool {
        self.beat.min(now).since(since) < self.span
    }
}

/// What a worker says of its share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// It gives back what it has beyond so many units.
    pub keep: u32,
    /// Millionths of a token that come back with them.
    pub micros: u64,
    /// How many units it would like to have in all; no more than it keeps where it doesn't wait.
    pub wish: u32,
    /// How many attempts run with units of it, or with none where nothing bounded them when they began.
    pub held: u32,
    /// It would wait before others, as it saves what else there is for something that starves.
    pub ahead: bool,
    /// What it gives back came to it before others: it goes to who has waited longest.
    pub in_turn: bool,
    /// It was silent, and others may have been told that nobody waits.
    pub unheard: bool,
    /// Since which time that it came to be bounded these are counted, as of the worker's last look.
    pub begun: u64,
}

/// What a worker is told of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    /// How many units it has.
    pub units: u32,
    /// How many it would like to have in all, as it said last.
    pub wish: u32,
    /// Millionths of a token that came with them.
    pub micros: u64,
    /// How many units there are; `None` bounds nothing.
    pub cap: Option<u32>,
    /// Its rate, where it is a pool of one.
    pub rate: Option<Rate>,
    /// Which of its units are others'.
    pub owed: Owed,
    /// Somebody else waits ahead, and has waited for longer.
    pub preceded: bool,
    /// Something is free that it waits for, and wasn't given as it gave no sign of life: it has to ask once more.
    pub passed_over: bool,
    /// Nothing is given until all have said what they run: for so much longer at most, unless one of them gives no sign of life.
    pub awaits: Option<Duration>,
    /// The number of the last time that it came to be bounded, or to bound other tasks.
    pub begun: u64,
}

/// Which of a worker's units that don't run anything are others'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owed {
    /// None: nobody waits.
    #[default]
    Nothing,
    /// Those that it has no use for: others wait, and have an even part.
    Spare,
    /// Those beyond so many, its even part: others starve. Where that is none, as there are fewer units than workers, all of them
    /// after its turn.
    Beyond(u32),
    /// All of them, before anything starts: more are out than there are, since there are fewer than there were, or it isn't known
    /// yet whether that is so.
    Excess,
}

impl Owed {
    /// Whether a worker has to hear of this that knows of something else: more is others' now, or it may start again.
    pub(super) fn is_news_after(self, known: Self) -> bool {
        match self {
            Self::Nothing => known == Self::Excess,
            Self::Spare => matches!(known, Self::Nothing | Self::Excess),
            Self::Beyond(_) | Self::Excess => self != known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_misses_his_second_sign_of_life_is_silent_but_not_for_a_moment() {
        for (span, millis) in [(1_000, 500), (2_000, 500), (5_000, 769), (15_000, 2_300), (3_600_000, 2_300)] {
            let span = Duration::from_millis(span);
            let silent = |millis| {
                is_silent(Timestamp::EPOCH, span, Timestamp::EPOCH.saturating_add(Duration::from_millis(millis)))
            };
            assert!(!silent(millis) && silent(millis + 1), "{span:?}");
            assert!(!is_silent(Timestamp::EPOCH.saturating_add(span), span, Timestamp::EPOCH), "a clock was set back");
        }
    }
}
