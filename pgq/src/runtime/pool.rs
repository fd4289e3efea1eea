//! What this worker has of one pool, and what it says of it.

use std::time::Duration;

use pgq_core::limit::Bucket;

use crate::backend::{Ask, Measure, NextToken, Owed, PoolName, Portion};
use crate::platform::{Clock, Mark};

/// Units of which nothing was started for so long go back.
pub(super) const IDLE: Duration = Duration::from_secs(1);
/// For how long one unit that others wait for stays where it is, so that short jobs don't pay a statement each; and with a worker all
/// of whose slots are taken, which it can't do anything with.
pub(super) const SLICE: Duration = Duration::from_millis(20);
/// The same of what is held up by another limit that is waited for after it, of which something may come just now: where each gave back
/// at once what it has, none would ever have both. At most: workers that kept step would pass what they have to and fro for ever.
pub(super) const HOLD: Duration = Duration::from_millis(100);
/// How often in a row that doubles where it was in vain, as what is waited for is in use for longer, or the fleet is slow.
const DOUBLED: u32 = 2;
/// The same of what is one task's own, which nobody else could use meanwhile: to hand it on would cost statements, and bring nobody on.
const PATIENT: Duration = Duration::from_secs(30);
/// The same of a unit of a rate that is used up: it would go round with nothing in it, and whoever has it starts jobs for all. Also of
/// any unit where notices don't reach workers: to hand it on costs up to a second then.
pub(super) const TURN: Duration = Duration::from_secs(5);
/// For how long nothing more is asked for after it came and claims won other things only, which doubles each time, up to eight seconds.
const SPURNED: Duration = Duration::from_secs(1);
/// A token of a rate that takes at most so long to come again is waited for after everything else.
const QUICK: Duration = Duration::from_secs(1);
/// A wait for a token of at least so much is told of.
const LONG: Duration = Duration::from_secs(2);

/// A part of a pool.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each may be so with any of the others")]
pub(super) struct Pool {
    /// `None` for what one worker counts by itself.
    pub(super) name: Option<PoolName>,
    /// How many units there are; `None` bounds nothing.
    pub(super) cap: Option<u32>,
    pub(super) units: u32,
    /// Of these, what runs or a claim in flight may win.
    pub(super) held: u32,
    pub(super) bucket: Option<(Bucket, Mark)>,
    /// Which of the units that aren't held are others'.
    pub(super) owed: Owed,
    /// What the worker could do with them.
    pub(super) prospect: Prospect,
    /// There was a job, and no room for it.
    pub(super) blocked: bool,
    /// For how long one unit that others wait for stays here.
    pub(super) slice: Duration,
    /// No claim that was made since units came has been answered: they haven't had their turn, however long that takes.
    pub(super) fresh: bool,
    /// How often in a row units were held in vain for something else.
    pub(super) vain: u32,
    /// Claims won so much else that nothing was started with it: it isn't to be used before something is, or more comes.
    pub(super) crowded: bool,
    /// What came then was of no use: since when, and for how long no more is asked for while claims go on so.
    pub(super) spurned: Option<(Mark, Duration)>,
    /// What the backend was last asked for.
    pub(super) wished: u32,
    /// What the backend has isn't what was last heard of it.
    pub(super) stale: bool,
    /// It was looked at since the backend was last asked: what that answers may be older.
    pub(super) seen: bool,
    /// It is of another rate by now, or of fewer units, and what that leaves this worker hasn't been heard: nothing starts.
    pub(super) outdated: bool,
    /// Nothing is given until others have said what they run: for so long from then at most, while they give signs of life.
    pub(super) awaits: Option<(Mark, Duration)>,
    /// Somebody was turned away for want of room here.
    pub(super) tight: bool,
    /// There are more units than there were when a claim was last offered what there is, by its rank, or another rate is in force.
    pub(super) grown: bool,
    pub(super) offered: u64,
    /// How many were started with the units of a rate that it has.
    pub(super) served: u32,
    /// Of a rate: when the next token comes has changed since it was told.
    pub(super) untold: bool,
    /// What else there is is saved for a task that starves, and lacks this.
    pub(super) urges: bool,
    /// What was said of that last.
    pub(super) urged: bool,
    /// What came did before others, who have their turn next.
    pub(super) came_ahead: bool,
    /// It is saved for a task that starves: since when, and for how much longer.
    pub(super) saved: Option<(Mark, Duration)>,
    /// Somebody else waits so, and came before.
    pub(super) preceded: bool,
    /// Others may not know that it waits, as it was silent.
    pub(super) unheard: bool,
    /// The last use of it.
    pub(super) used: Mark,
    /// Since when it has had the units that it has.
    pub(super) since: Mark,
    /// When it came to be bounded, by its number, as of the last look, which also says what tasks it bounds.
    pub(super) begun: u64,
    /// How often something of this worker had come to be bounded when this did, or came to bound another task.
    pub(super) era: u64,
    /// Nothing is started with it any more: what isn't held is others'.
    pub(super) leaving: bool,
}

/// What a worker could do with its units of a pool that aren't held.
#[derive(Clone, Debug)]
pub(super) enum Prospect {
    /// Start jobs, as far as it knows.
    Open,
    /// Start a job once something else is there that was asked for, and that there is no answer about.
    Needed,
    /// Nothing, since each of the tasks that the pool bounds is held up by something else; since when, and how long that is borne.
    HeldUp(Mark, Duration),
    /// Nothing: the last claim found no job for them.
    Spare,
}

/// What there is of a pool just now.
#[derive(Clone, Copy)]
pub(super) enum Room {
    Some(u32),
    /// None here, and more may be had.
    Elsewhere,
    /// None until something ends, arrives, or so much time has passed.
    Later(Option<Duration>),
}

impl Room {
    /// The more, the more a claim may try.
    pub(super) fn rank(self) -> u64 {
        match self {
            Self::Later(_) => 0,
            Self::Elsewhere => 1,
            Self::Some(room) => 1 + u64::from(room),
        }
    }
}

impl Pool {
    pub(super) fn new(name: Option<PoolName>, cap: Option<u32>, clock: &Clock) -> Self {
        let units = if name.is_none() { cap.unwrap_or(0) } else { 0 };
        Self {
            name,
            cap,
            units,
            held: 0,
            bucket: None,
            owed: Owed::Nothing,
            prospect: Prospect::Open,
            blocked: false,
            slice: SLICE,
            fresh: false,
            vain: 0,
            crowded: false,
            spurned: None,
            wished: 0,
            stale: false,
            seen: false,
            outdated: false,
            awaits: None,
            tight: false,
            grown: false,
            offered: 0,
            served: 0,
            untold: false,
            urges: false,
            urged: false,
            came_ahead: false,
            saved: None,
            preceded: false,
            unheard: false,
            used: clock.mark(),
            since: clock.mark(),
            begun: 0,
            era: 0,
            leaving: false,
        }
    }

    pub(super) fn is_rate(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.measure == Measure::Rate)
    }

    pub(super) fn fill(&mut self, clock: &Clock) {
        if let Some((bucket, mark)) = &mut self.bucket {
            let now = clock.mark();
            if bucket.tokens() == 0 {
                // It isn't idle while it fills.
                self.used = now.clone();
            }
            bucket.fill(mark.elapsed());
            *mark = now;
        }
    }

    /// For how much longer units stay of which others have none, as there are fewer than those who wait.
    pub(super) fn turn(&self) -> Duration {
        if let Some(rest) = self.idles() {
            return rest;
        }
        let Some((bucket, _)) = &self.bucket else {
            let unused = if self.fresh { IDLE } else { self.slice };
            return unused.saturating_sub(self.since.elapsed());
        };
        // `used` says since when there has been a token that nobody takes.
        let untaken = if bucket.tokens() > 0 { SLICE.saturating_sub(self.used.elapsed()) } else { TURN };
        // One that takes longer to fill stays until it has let one start.
        let rest = if self.served > 0 { TURN.saturating_sub(self.since.elapsed()) } else { TURN };
        untaken.min(rest)
    }

    /// How many units may be used: what the worker holds beyond them is others' as it comes free.
    fn bound(&self) -> u32 {
        if self.leaving {
            return 0;
        }
        match (self.owed, &self.prospect) {
            (Owed::Excess, _) => 0,
            (Owed::Beyond(0), Prospect::Needed) if self.shares_rest() && self.turn().is_zero() => {
                self.units.min(self.held.saturating_add(1))
            }
            (Owed::Nothing, _) | (Owed::Spare | Owed::Beyond(0), Prospect::Needed) => self.units,
            _ if self.idles().is_some_and(|rest| rest.is_zero()) => 0,
            (Owed::Spare, _) => self.units,
            (Owed::Beyond(0), _) if !self.turn().is_zero() => self.units,
            (Owed::Beyond(even), _) => self.units.min(even),
        }
    }

    /// Where the worker has no use for what it has, for how much longer it keeps that from those who wait.
    fn idles(&self) -> Option<Duration> {
        match &self.prospect {
            Prospect::HeldUp(_, Duration::ZERO) => Some(Duration::ZERO),
            // With nothing in it a unit of a rate is of no use to others either.
            Prospect::HeldUp(since, hold) => Some(match &self.bucket {
                Some((bucket, _)) if bucket.tokens() == 0 => hold.saturating_add(bucket.next().unwrap_or(*hold)),
                Some(_) => hold.saturating_sub(since.elapsed().min(self.used.elapsed())),
                None => hold.saturating_sub(since.elapsed()),
            }),
            Prospect::Spare if !self.is_rate() => Some(Duration::ZERO),
            Prospect::Open | Prospect::Needed | Prospect::Spare => None,
        }
    }

    /// For how much longer it stays with nothing started with it, though nobody else waits for it.
    fn rests(&self) -> Duration {
        let saved = self.saved.as_ref().map(|(since, span)| span.saturating_sub(since.elapsed()));
        let unused = IDLE.saturating_sub(self.used.elapsed()).max(saved.unwrap_or_default());
        match &self.prospect {
            Prospect::HeldUp(since, hold) => hold.saturating_sub(since.elapsed()).max(unused),
            _ => unused,
        }
    }

    /// What it waits for is asked for again; whether it waits.
    pub(super) fn say_again(&mut self) -> bool {
        let waits = self.name.is_some() && self.wished > self.units;
        (self.stale, self.unheard) = (self.stale || waits, waits);
        waits
    }

    /// Whether there is no answer yet about what there is of it, or about more that was wished for.
    pub(super) fn is_asked_for(&self) -> bool {
        self.outdated || self.blocked && (self.stale || self.wished <= self.units)
    }

    /// Its units are to be used beside others that are on their way.
    pub(super) fn need(&mut self, clock: &Clock) {
        (self.prospect, self.crowded) = (Prospect::Needed, false);
        if self.units > self.held {
            (self.used, self.since) = (clock.mark(), clock.mark());
        }
    }

    /// Nothing can be started with it just now, whatever there is of it: nothing more is asked for. If what is missing is waited for
    /// after it that is borne for a while, of which chance draws a part; else it isn't needed before that is here, and is others' at once.
    pub(super) fn hold_up(&mut self, clock: &Clock, in_turn: bool, chance: f64) {
        let shared = HOLD.mul_f64(1.0 - chance / 4.0) * 2_u32.pow(self.vain.min(DOUBLED));
        let hold = if self.is_own() { PATIENT } else { shared };
        self.bear(clock, if in_turn { hold } else { Duration::ZERO });
    }

    /// One of it is saved for a task that starves: that stays here, and of the rest each has its turn.
    pub(super) fn save(&mut self) {
        self.prospect = Prospect::Needed;
    }

    /// Whether there is more than is saved that others could have: units of a rate would go with what is in them.
    fn shares_rest(&self) -> bool {
        self.saved.is_some() && !self.is_rate() && self.units > self.held.saturating_add(1)
    }

    /// Whether no other task than one is bounded by it.
    pub(super) fn is_own(&self) -> bool {
        self.name.as_ref().is_none_or(|name| name.limit.starts_with("task:"))
    }

    /// Whether tasks share it, and it bounds them.
    pub(super) fn is_shared(&self) -> bool {
        !self.is_own() && self.cap.is_some()
    }

    /// All slots are taken: nothing can be started with it. If that lasts, it goes to others, and what was asked for isn't any more.
    pub(super) fn crowd_out(&mut self, clock: &Clock) {
        self.bear(clock, SLICE);
    }

    /// A claim that had some of it to use won as much as it could, and nothing with it: as where all slots are taken. Of that something
    /// may have come just before.
    pub(super) fn pass_over(&mut self, clock: &Clock, came: bool) {
        self.crowded = true;
        self.crowd_out(clock);
        if came {
            let pause = self.spurned.take().map_or(SPURNED, |(_, pause)| (pause * 2).min(SPURNED * 8));
            self.spurned = Some((clock.mark(), pause));
        }
    }

    /// It may be used again.
    fn welcome(&mut self) {
        if std::mem::take(&mut self.crowded) {
            self.prospect = Prospect::Open;
        }
    }

    /// Whether more of it would be of no use while claims go on to win as much else as they can.
    pub(super) fn is_unwanted(&self) -> bool {
        self.crowded || self.is_spurned()
    }

    pub(super) fn is_spurned(&self) -> bool {
        self.spurned.as_ref().is_some_and(|(since, pause)| since.elapsed() < *pause)
    }

    fn bear(&mut self, clock: &Clock, hold: Duration) {
        // For want of the same: nothing that could be used now, a slot, something else.
        let why = |hold: Duration| (hold.is_zero(), hold > SLICE);
        let goes_on = match &self.prospect {
            Prospect::Open | Prospect::Needed => false,
            Prospect::HeldUp(_, before) => why(*before) == why(hold),
            Prospect::Spare => true,
        };
        if !goes_on {
            self.prospect = Prospect::HeldUp(clock.mark(), hold);
        }
    }

    /// What was asked for can't be used by now, and others could.
    pub(super) fn waits_in_vain(&self) -> bool {
        self.hopes().is_some_and(|rest| rest.is_zero())
    }

    /// For how much longer more is wished for that can't be used by now: where it has some that may be soon, not to say so for each start.
    fn hopes(&self) -> Option<Duration> {
        match &self.prospect {
            Prospect::HeldUp(since, hold) if self.blocked => {
                let borne = match *hold {
                    hold if hold == SLICE => SLICE,
                    _ if self.units > 0 => TURN,
                    _ => Duration::ZERO,
                };
                Some(borne.saturating_sub(since.elapsed()))
            }
            _ => None,
        }
    }

    /// A slot is free again, and there is a job for it: more is asked for, if it could be used.
    pub(super) fn ask_again(&mut self, slots: u32, clock: &Clock) -> bool {
        let could = self.cap.is_some_and(|cap| self.units < self.most(cap, slots));
        if could {
            self.want();
            self.open(clock);
        }
        could
    }

    /// There is a job for more than there is.
    pub(super) fn want(&mut self) {
        self.blocked = true;
        self.welcome();
    }

    /// How many units the worker could use. Of a rate it could use any part.
    fn most(&self, cap: u32, slots: u32) -> u32 {
        if self.is_rate() { cap } else { slots.min(cap) }
    }

    /// Something was started with it.
    pub(super) fn start(&mut self) {
        (self.vain, self.spurned) = (0, None);
        self.reopen();
    }

    /// There was something to start with it, or there is more of it now.
    fn reopen(&mut self) {
        self.welcome();
        if matches!(self.prospect, Prospect::Spare) {
            self.prospect = Prospect::Open;
        }
    }

    /// It could let something start that nothing else holds up. Where it was kept for something else it has its turn from now on, as if
    /// it had just come: else it would be others' before a claim could be made with both.
    pub(super) fn open(&mut self, clock: &Clock) {
        if self.crowded || matches!(self.prospect, Prospect::Spare) {
            return;
        }
        if matches!(self.prospect, Prospect::HeldUp(_, hold) if hold > SLICE) {
            self.used = clock.mark();
            if !self.is_rate() {
                (self.since, self.fresh) = (clock.mark(), true);
            }
        }
        self.prospect = Prospect::Open;
    }

    /// Something of what isn't in use is others', now or soon.
    pub(super) fn owes(&self) -> bool {
        let owes = match self.owed {
            Owed::Nothing => self.leaving,
            Owed::Spare => self.leaving || self.idles().is_some(),
            Owed::Beyond(_) | Owed::Excess => true,
        };
        self.units > self.held && owes
    }

    /// When the next token of a slow rate comes, where that is to be told.
    pub(super) fn foresees(&self) -> Option<NextToken> {
        let (bucket, _) = self.bucket.as_ref().filter(|_| self.untold)?;
        let wait = bucket.next().filter(|wait| *wait >= LONG)?;
        Some(NextToken { wait, units: bucket.units(), rate: bucket.rate() })
    }

    /// Whether it has some of a rate, of which there is a token by then.
    pub(super) fn fills_within(&self, span: Duration) -> bool {
        let next = self.bucket.as_ref().and_then(|(bucket, _)| bucket.next());
        self.units > 0 && next.is_some_and(|next| next <= span)
    }

    /// Whether fewer may start with what it has of a rate.
    pub(super) fn lacks(&self, count: u32) -> bool {
        self.bucket.as_ref().is_some_and(|(bucket, _)| bucket.tokens() < count)
    }

    pub(super) fn room(&self) -> Room {
        let Some(cap) = self.cap else { return Room::Some(u32::MAX) };
        let none = || if self.blocked || self.units >= cap || cap == 0 { Room::Later(None) } else { Room::Elsewhere };
        if self.outdated {
            return Room::Later(None);
        }
        if let Some((bucket, _)) = &self.bucket {
            return match bucket.tokens().saturating_sub(self.held) {
                0 if self.units == 0 => none(),
                // With more of its units the worker would fill faster.
                0 if self.units < cap && !self.blocked => Room::Elsewhere,
                0 => Room::Later(bucket.next()),
                tokens => Room::Some(tokens),
            };
        }
        match self.bound().saturating_sub(self.held) {
            0 => none(),
            room => Room::Some(room),
        }
    }

    /// How many of its units stay.
    fn keep(&self) -> u32 {
        // Tokens of a claim in flight are reserved where they are.
        if self.is_rate() && self.held > 0 {
            return self.units;
        }
        let used = if self.rests().is_zero() { 0 } else { self.bound() };
        used.max(self.held).min(self.units)
    }

    /// What to say to the backend, where there is something to say.
    pub(super) fn ask(&mut self, slots: u32) -> Option<Ask> {
        let cap = self.cap?;
        if self.leaving || self.waits_in_vain() || self.rests().is_zero() && self.units > self.held {
            self.blocked = false;
        }
        let keep = self.keep();
        if keep < self.units {
            match self.prospect {
                // Who gives back what it can't use would get it again.
                Prospect::HeldUp(..) => (self.blocked, self.crowded) = (false, false),
                // Its turn is over: it waits for the next one.
                Prospect::Open if self.owed == Owed::Beyond(0) && !self.leaving && !self.rests().is_zero() => {
                    self.blocked = true;
                }
                _ => {}
            }
        }
        let wish = if self.blocked { self.most(cap, slots) } else { 0 };
        let another = wish != self.wished && wish.max(self.wished) > keep;
        let held = if self.is_rate() { 0 } else { self.held };
        let urges = self.is_to_urge() && wish > keep;
        (keep < self.units || another || urges || self.stale || self.has_awaited() || held > self.units).then(|| {
            if keep < self.units && matches!(self.prospect, Prospect::HeldUp(_, span) if span > SLICE) {
                self.vain = self.vain.saturating_add(1);
            }
            let micros = self.bucket.as_mut().map_or(0, |(bucket, _)| bucket.give(self.units - keep));
            // What others have given meanwhile isn't known here yet: it is kept, unless something is given back.
            let kept = if keep < self.units { keep } else { u32::MAX };
            let ahead = self.urges && wish > keep;
            let in_turn = self.came_ahead && keep < self.units;
            self.came_ahead &= !in_turn;
            self.urged = ahead;
            self.untold |= keep < self.units;
            // Until there is an answer it is open what was heard.
            (self.units, self.wished, self.stale, self.seen) = (keep, wish, true, false);
            Ask { keep: kept, micros, wish, held, ahead, in_turn, unheard: self.unheard, begun: self.begun }
        })
    }

    /// More of it is wanted before others, or not any more; whether that is to be said.
    pub(super) fn urge(&mut self, urges: bool) -> bool {
        self.urges = urges;
        self.preceded &= urges;
        self.is_to_urge()
    }

    fn is_to_urge(&self) -> bool {
        let waits = self.cap.is_some_and(|cap| self.units < cap) && (self.wished == 0 || self.wished > self.units);
        self.blocked && self.urges != self.urged && waits
    }

    /// How long it takes until there is as much of it again as one takes that starts.
    pub(super) fn refill(&self) -> Duration {
        let part = self
            .bucket
            .as_ref()
            .and_then(|(bucket, _)| (bucket.rate().interval() * bucket.rate().burst()).checked_div(bucket.units()));
        part.unwrap_or_default()
    }

    /// Whether it is a rate of which the next token comes so soon that none need be saved for what else is missing.
    pub(super) fn is_quick(&self) -> bool {
        self.is_rate() && self.refill() <= QUICK
    }

    /// Whether there may be something to be had by now, as others who live needn't say any longer what they run.
    fn has_awaited(&self) -> bool {
        self.blocked && self.awaits.as_ref().is_some_and(|(since, span)| since.elapsed() >= *span)
    }

    /// It bounds nothing any more.
    pub(super) fn lift(&mut self) {
        (self.cap, self.units, self.bucket, self.wished) = (None, 0, None, 0);
        (self.owed, self.prospect) = (Owed::Nothing, Prospect::Open);
        (self.blocked, self.stale, self.outdated, self.seen) = (false, false, false, true);
        (self.awaits, self.crowded, self.spurned) = (None, false, None);
    }

    /// What the backend says. Units that came are used from now on. Where it was looked at meanwhile, that says how it is bounded, until
    /// there is an answer that can't be older.
    pub(super) fn take(&mut self, portion: Portion, clock: &Clock) {
        if self.seen && self.cap.is_none() {
            return;
        }
        self.stale = self.seen;
        let was_outdated = self.outdated;
        if self.seen {
            // Of a rate it may have fewer units by now.
            self.outdated |= self.is_rate();
        } else {
            (self.cap, self.owed, self.outdated) = (portion.cap, portion.owed, false);
            self.preceded = portion.preceded && self.urged;
            self.unheard = false;
        }
        self.grown |= was_outdated && !self.outdated;
        if self.cap.is_none() {
            return self.lift();
        }
        // One who is awaited for longer gives no sign of life, and may be declared gone any time.
        self.awaits = portion.awaits.map(|span| (clock.mark(), span.max(IDLE)));
        self.untold |= portion.units != self.units || portion.micros > 0;
        self.come(portion.units, clock);
        if let Some(rate) = portion.rate {
            let (bucket, _) = self.bucket.get_or_insert_with(|| (Bucket::new(rate, 0, 0), clock.mark()));
            self.untold |= bucket.rate() != rate;
            self.grown |= bucket.rate() != rate;
            bucket.retune(rate);
            let missing = portion.units.saturating_sub(bucket.units());
            bucket.give(bucket.units().saturating_sub(portion.units));
            bucket.receive(missing, portion.micros);
        } else {
            self.bucket = None;
        }
    }

    /// It has so many units by now. What came is used from now on.
    fn come(&mut self, units: u32, clock: &Clock) {
        if units > self.units {
            (self.used, self.since, self.served) = (clock.mark(), clock.mark(), 0);
            (self.fresh, self.grown, self.came_ahead) = (true, true, self.urged);
            self.reopen();
        }
        self.blocked &= self.wished > units;
        self.units = units;
    }

    /// A look shows so many units: places that others gave are there with that, while tokens have to be fetched, and an answer may
    /// say something else, or may have since the look began.
    pub(super) fn sees(&mut self, units: u32, is_newest: bool, clock: &Clock) {
        if is_newest && !self.is_rate() && !self.stale && units > self.units {
            self.come(units, clock);
        }
        self.stale |= units != self.units;
    }

    /// Whether there is more of it than the last offer knew of; said once.
    pub(super) fn has_more(&mut self) -> bool {
        std::mem::take(&mut self.grown) || self.room().rank() > self.offered
    }

    /// How long until there may be something to say without anybody having called.
    pub(super) fn due(&self) -> Option<Duration> {
        self.name.as_ref()?;
        let vain = self.hopes();
        if self.units <= self.held || self.is_rate() && self.held > 0 {
            return vain;
        }
        // A rate isn't idle while it fills.
        let fills =
            self.bucket.as_ref().filter(|(bucket, _)| bucket.tokens() == 0).and_then(|(bucket, _)| bucket.next());
        let idle = fills.map_or_else(|| self.rests(), |fills| IDLE.saturating_add(fills));
        let idles = self.idles().filter(|_| self.owed != Owed::Nothing);
        let others = match self.owed {
            _ if self.leaving => Some(Duration::ZERO),
            Owed::Beyond(0) if !matches!(self.prospect, Prospect::Needed) => Some(self.turn()),
            Owed::Beyond(0) if self.shares_rest() => Some(self.turn()),
            _ if self.bound() < self.units => Some(Duration::ZERO),
            _ => None,
        };
        idles.into_iter().chain(vain).chain(others).chain([idle]).min()
    }
}

#[cfg(test)]
mod tests;
