//! The pool of a limit without a key: its units, who has them, and who waits.
//!
//! A backend reads a pool, lets it [`balance`](Pool::balance), and writes what came out unless somebody has changed it meanwhile: one
//! decision for every backend. How units are divided is in [`divide`](super::divide); what the units of a rate are, in [`Bucket`]; what a worker and
//! a pool tell each other, in [`share`](super::share).

use super::divide::{Stake, divide, even, units};
use super::share::{Ask, Owed, Portion, Share};
use super::{Bucket, Rate};
use crate::{Lease, Timestamp};

/// What is divided, and among whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// How many units there are: attempts at once, or a rate's burst. `None` bounds nothing.
    pub cap: Option<u32>,
    /// Of a rate: itself, and how many millionths of a token were in its free units at an instant.
    pub rate: Option<(Rate, u64, Timestamp)>,
    /// The rate by which its free units have filled since that instant, where another one has come into force.
    pub was: Option<Rate>,
    /// Those who live and have units, wait or are awaited.
    pub shares: Vec<Share>,
    /// Units of workers that are gone since it was balanced last. Of a rate they come back empty: nobody knows what was started
    /// with them.
    pub orphaned: u32,
    /// The number of the last time that it came to be bounded, or to bound other tasks, so that all are awaited; also under the name of
    /// one that is gone no number comes again.
    pub begun: u64,
}

/// What became of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balanced {
    /// As it is now.
    pub pool: Pool,
    /// For the one who asked.
    pub portion: Portion,
    /// Who else should ask: they were given units, or have to come down.
    pub tell: Vec<Lease>,
}

/// What a worker was told of its share.
#[derive(Clone, Copy)]
struct Told {
    lease: Lease,
    units: u32,
    owed: Owed,
}

impl Pool {
    /// What one worker says, and what follows for all. It may have had no share.
    #[must_use]
    pub fn balance(mut self, lease: Lease, ask: Ask, now: Timestamp) -> Balanced {
        for share in self.shares.iter_mut().filter(|share| share.lease == lease) {
            share.silent |= ask.unheard;
        }
        let (before, had_spare) = (self.told(), self.has_spare() && !self.awaits());
        let mut free = self.free(now);
        let mut mine = self.take(lease, now);
        let returned = mine.stake.units.saturating_sub(if self.cap.is_some() { ask.keep } else { 0 });
        // Who has had his turn goes behind those who haven't.
        if !mine.stake.waits() || returned > 0 {
            mine.since = now;
        }
        // What runs can't be taken back, so it counts even where there are fewer units.
        let held = if self.cap.is_some() { ask.held } else { 0 };
        mine.stake.units = (mine.stake.units - returned).max(held);
        mine.ahead = ask.ahead;
        mine.silent = false;
        // What was on its way when it began doesn't say what runs of it now.
        mine.awaited = mine.awaited.filter(|_| ask.begun != self.begun);
        if let Some(free) = &mut free {
            free.receive(returned, ask.micros);
        }
        mine.stake.wish = ask.wish.max(mine.stake.units);
        self.shares.push(mine);
        self.settle(Some(lease), ask.in_turn && returned > 0, &before, had_spare, free, now)
    }

    /// What follows for all where there are other bounds, or a share is gone.
    #[must_use]
    pub fn redivide(mut self, now: Timestamp) -> Balanced {
        // What they were told under other bounds, or while somebody lived who is gone, isn't known any more.
        let before = self.told().into_iter().map(|told| Told { owed: Owed::Nothing, ..told });
        let before: Vec<_> = before.collect();
        let free = self.free(now);
        self.settle(None, false, &before, false, free, now)
    }

    /// What each knows by now, or will when he has heard.
    fn told(&self) -> Vec<Told> {
        let told = |share: &Share| Told { lease: share.lease, units: share.stake.units, owed: self.owed(share.lease) };
        self.shares.iter().map(told).collect()
    }

    /// Nobody goes before others where it is their turn.
    fn settle(
        mut self,
        asker: Option<Lease>,
        in_turn: bool,
        before: &[Told],
        had_spare: bool,
        mut free: Option<Bucket>,
        now: Timestamp,
    ) -> Balanced {
        for share in &mut self.shares {
            // Somebody has set the clock back.
            share.since = share.since.min(now);
            share.awaited = share.awaited.filter(|awaited| awaited.is_so(share.since, now));
        }
        if !self.awaits() {
            self.distribute(in_turn, free.as_mut());
        }
        for share in &mut self.shares {
            // With other units it comes at another time.
            let units = before.iter().find(|told| told.lease == share.lease).map(|told| told.units);
            share.next = share.next.filter(|_| units == Some(share.stake.units));
        }
        self.rate = free.map(|free| (free.rate(), free.micros(), now));
        let news = |share: &&Share| {
            let told = before.iter().find(|told| told.lease == share.lease);
            let (units, owed) = told.map_or((0, Owed::Nothing), |told| (told.units, told.owed));
            let passed_over = share.silent && !had_spare && self.passes_over(share);
            passed_over
                || share.stake.units > units
                || share.stake.units > 0 && self.owed(share.lease).is_news_after(owed)
        };
        let others = self.shares.iter().filter(|share| Some(share.lease) != asker);
        let tell = others.filter(news).map(|share| share.lease).collect();
        let micros = asker.map_or(0, |lease| self.fetch(lease));
        let portion = asker.map(|lease| Portion { micros, ..self.portion(lease, now) }).unwrap_or_default();
        let counts = |share: &Share| share.stake.units > 0 || share.stake.waits() || share.awaited.is_some();
        self.shares.retain(|share| self.cap.is_some() && counts(share));
        self.orphaned = 0;
        Balanced { pool: self, portion, tell }
    }

    fn has_spare(&self) -> bool {
        self.cap.is_some_and(|cap| self.used() < cap)
    }

    /// Whether something is free that it waits for: it hasn't been given that, as it was silent, and has to ask once more.
    fn passes_over(&self, share: &Share) -> bool {
        share.stake.waits() && self.has_spare() && !self.awaits()
    }

    fn awaits(&self) -> bool {
        self.shares.iter().any(|share| share.awaited.is_some())
    }

    fn take(&mut self, lease: Lease, now: Timestamp) -> Share {
        let place = self.shares.iter().position(|share| share.lease == lease);
        let none = Share {
            lease,
            stake: Stake::default(),
            since: now,
            ahead: false,
            micros: 0,
            next: None,
            awaited: None,
            silent: false,
        };
        place.map_or(none, |place| self.shares.remove(place))
    }

    /// The bucket of the free units, as it is now: filled by the rate before until another one came into force, of which units come
    /// empty that it has more of.
    fn free(&mut self, now: Timestamp) -> Option<Bucket> {
        let (rate, micros, at) = self.rate?;
        let was = self.was.take().unwrap_or(rate);
        // What is back only now hasn't filled meanwhile.
        let units = was.burst().saturating_sub(self.used()).saturating_sub(self.orphaned);
        let mut free = Bucket::new(was, units, micros);
        free.fill(now.since(at));
        self.lower();
        free.retune(rate);
        free.resize(self.cap?.saturating_sub(self.used()));
        Some(free)
    }

    fn used(&self) -> u32 {
        self.shares.iter().map(|share| share.stake.units).fold(0, u32::saturating_add)
    }

    /// Units of a rate of which there are fewer now are gone at once, as nothing runs with them: each would fill at the new rate.
    fn lower(&mut self) {
        let Some(cap) = self.cap.filter(|cap| self.used() > *cap) else { return };
        let mut stakes: Vec<_> = self.shares.iter().map(|share| Stake { units: 0, wish: share.stake.units }).collect();
        divide(cap, &mut stakes);
        for (share, Stake { units, .. }) in self.shares.iter_mut().zip(stakes) {
            let wish = if share.stake.waits() { share.stake.wish } else { units };
            share.stake = Stake { units, wish };
        }
    }

    fn distribute(&mut self, in_turn: bool, mut free: Option<&mut Bucket>) {
        self.shares.sort_by_key(|share| (share.silent, in_turn || !share.ahead, share.since, share.lease.0));
        let mut stakes: Vec<Stake> = self.shares.iter().map(|share| share.stake).collect();
        // With who is silent it would lie until his lease is over.
        let (heard, silent) = stakes.split_at_mut(self.shares.partition_point(|share| !share.silent));
        let cap = self.cap.unwrap_or(0);
        divide(cap.saturating_sub(units(silent)), heard);
        for (share, stake) in self.shares.iter_mut().zip(stakes) {
            let gain = stake.units - share.stake.units;
            share.micros += free.as_mut().map_or(0, |free| free.give(gain));
            share.stake = stake;
        }
    }

    /// What a worker has now. Its tokens stay where they are.
    #[must_use]
    pub fn portion(&self, lease: Lease, now: Timestamp) -> Portion {
        let (cap, rate) = (self.cap, self.rate.map(|(rate, ..)| rate));
        let share = self.shares.iter().find(|share| share.lease == lease);
        let Stake { units, wish } = share.map(|share| share.stake).unwrap_or_default();
        let rests = self.shares.iter().filter_map(|share| share.awaited.map(|awaited| awaited.rest(share.since, now)));
        let first = self.shares.iter().filter(|share| share.ahead && share.stake.waits() && !share.silent);
        let first = first.min_by_key(|share| (share.since, share.lease.0));
        let preceded = first.is_some_and(|first| first.lease != lease);
        let passed_over = share.is_some_and(|share| self.passes_over(share));
        let owed = self.owed(lease);
        Portion {
            units,
            wish,
            micros: 0,
            cap,
            rate,
            owed,
            preceded,
            passed_over,
            awaits: rests.max(),
            begun: self.begun,
        }
    }

    /// The tokens that wait for a worker.
    fn fetch(&mut self, lease: Lease) -> u64 {
        let share = self.shares.iter_mut().find(|share| share.lease == lease);
        share.map_or(0, |share| std::mem::take(&mut share.micros))
    }

    fn owed(&self, lease: Lease) -> Owed {
        let Some(cap) = self.cap else { return Owed::Nothing };
        // Who is silent asks again once he isn't.
        let counts = |share: &&Share| !share.silent || share.stake.units > 0;
        let stakes: Vec<Stake> = self.shares.iter().filter(counts).map(|share| share.stake).collect();
        let (even, total) = (even(cap, &stakes), stakes.iter().map(|stake| u64::from(stake.units)).sum::<u64>());
        if total > u64::from(cap) || self.awaits() {
            return Owed::Excess;
        }
        let units = self.shares.iter().find(|share| share.lease == lease).map_or(0, |share| share.stake.units);
        let mut others =
            self.shares.iter().filter(|share| share.lease != lease && !share.silent).map(|share| share.stake);
        match others.clone().any(|other| other.is_starving(even)) {
            true if units > even => Owed::Beyond(even),
            _ if others.any(|other| other.waits()) => Owed::Spare,
            _ => Owed::Nothing,
        }
    }
}

#[cfg(test)]
mod tests;
