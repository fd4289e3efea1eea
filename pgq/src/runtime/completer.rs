//! The completer: writes how attempts ended, many at a time, each fenced.
//!
//! An outcome that is known stays in the outbox until the backend has answered for it. When the answer is lost, the write
//! is done again: the fence makes the second one harmless. What the database refuses is split until the culprit is alone, so
//! that it holds up nobody else (`write.rs`). When the process dies first, the lease runs out and the job
//! runs once more: delivery is at least once.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgq_core::{JobId, State, Transition};

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use super::write::{Written, write};
use crate::backend::{Ended, Verdict};
use crate::error::{Error, Result};
use crate::platform::{Mark, within};

/// How long to wait for more ends to write with the first one.
const LINGER: Duration = Duration::from_millis(2);
/// The most ends of one write.
const MOST: usize = 1_000;
/// So many unwritten ends, also such as are being written or are refused, hold up the claimer: what a crash repeats is bounded.
const FULL: usize = 2 * MOST;
/// When to look again at rows that somebody had locked.
const BUSY: Duration = Duration::from_millis(5);
/// When to try again what the database refuses.
const ASIDE: Duration = Duration::from_secs(30);
/// After so many writes in a row that fail by what passes by itself, as a deadlock, it is looked for who is to blame.
const STUCK: u32 = 6;
/// How long to wait for a look at jobs, on a connection of the pool that handlers use up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends that are to be written.
#[derive(Debug)]
pub(super) struct Outbox {
    ends: Mutex<Ends>,
    signal: Signal,
    claimer: Signal,
    /// Claims whose end was in a write that got no answer: it may stand already.
    unanswered: Mutex<HashSet<(JobId, u32)>>,
    /// Claims that were completed in their attempt's transaction: of these only what counted them is to be told.
    concluded: Mutex<HashSet<(JobId, u32)>>,
}

#[derive(Debug, Default)]
struct Ends {
    /// In batches as they will be written, as an end is large: none is empty, and all but the last hold all they may.
    waiting: VecDeque<Vec<Ended>>,
    /// How many are being written.
    taken: usize,
    /// What the database refuses, and since when.
    aside: Vec<(Ended, Mark)>,
    /// They hold up the claimer.
    hold_up: bool,
}

impl Ends {
    fn is_full(&self) -> bool {
        self.waiting() + self.taken + self.aside.len() >= FULL
    }

    fn waiting(&self) -> usize {
        self.waiting.back().map_or(0, |last| (self.waiting.len() - 1) * MOST + last.len())
    }

    fn push(&mut self, ended: Ended) {
        match self.waiting.back_mut() {
            Some(last) if last.len() < MOST => last.push(ended),
            _ => self.waiting.push_back(vec![ended]),
        }
    }

    fn extend(&mut self, ended: impl IntoIterator<Item = Ended>) {
        for ended in ended {
            self.push(ended);
        }
    }
}

impl Outbox {
    pub(super) fn new(claimer: Signal) -> Self {
        Self {
            ends: Mutex::default(),
            signal: Signal::new(),
            claimer,
            unanswered: Mutex::default(),
            concluded: Mutex::default(),
        }
    }

    pub(super) fn push(&self, ended: Ended) {
        let waiting = self.with(|ends| {
            ends.push(ended);
            ends.waiting()
        });
        if waiting == 1 || waiting == MOST {
            self.signal.raise();
        }
    }

    /// This claim was completed in the attempt's transaction, and holds places still that limits have by key: those go with the ends of
    /// others, as the handlers' pool may have no connection for it.
    pub(super) fn push_concluded(&self, ended: Ended) {
        self.concluded().insert((ended.id, ended.epoch));
        self.push(ended);
    }

    fn concluded(&self) -> MutexGuard<'_, HashSet<(JobId, u32)>> {
        self.concluded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of this claim will be written here, and what was written of it before got no answer.
    pub(super) fn doubt(&self, claim: (JobId, u32)) {
        self.unanswered().insert(claim);
    }

    fn unanswered(&self) -> MutexGuard<'_, HashSet<(JobId, u32)>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.with(|ends| ends.waiting())
    }

    /// Whether the claimer has to wait until some are written: then it is called.
    pub(super) fn holds_up(&self) -> bool {
        self.with(|ends| {
            ends.hold_up = ends.is_full();
            ends.hold_up
        })
    }

    /// Some were written.
    fn let_on(&self) {
        if self.with(|ends| !ends.is_full() && std::mem::take(&mut ends.hold_up)) {
            self.claimer.raise();
        }
    }

    /// Whether the database refuses ends that are still here.
    pub(super) fn has_refused(&self) -> bool {
        self.with(|ends| !ends.aside.is_empty())
    }

    /// What was refused so long ago is tried again.
    pub(super) fn take_back(&self, ago: Duration) {
        self.with(|ends| {
            let (due, aside) =
                std::mem::take(&mut ends.aside).into_iter().partition(|(_, since)| since.elapsed() >= ago);
            ends.aside = aside;
            let due: Vec<(Ended, Mark)> = due;
            ends.extend(due.into_iter().map(|(ended, _)| ended));
        });
    }

    fn set_aside(&self, refused: impl IntoIterator<Item = Ended>, now: &Mark) {
        self.with(|ends| ends.aside.extend(refused.into_iter().map(|ended| (ended, now.clone()))));
    }

    fn take(&self) -> Taken<'_> {
        self.with(|ends| {
            let ended = ends.waiting.pop_front().unwrap_or_default();
            ends.taken += ended.len();
            Taken { count: ended.len(), ended, outbox: self }
        })
    }

    fn put_back(&self, ended: impl IntoIterator<Item = Ended>) {
        self.with(|ends| ends.extend(ended));
    }

    fn with<T>(&self, look: impl FnOnce(&mut Ends) -> T) -> T {
        look(&mut self.ends.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Ends that are being written. Without an answer, also where nobody waits for it any more, they go back.
struct Taken<'o> {
    count: usize,
    ended: Vec<Ended>,
    outbox: &'o Outbox,
}

impl Taken<'_> {
    fn answered(mut self) {
        self.ended.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.outbox.with(|ends| ends.taken -= self.count);
        if !self.ended.is_empty() {
            self.outbox.unanswered().extend(self.ended.iter().map(|ended| (ended.id, ended.epoch)));
            self.outbox.put_back(std::mem::take(&mut self.ended));
        }
        self.outbox.let_on();
    }
}

pub(super) struct Completer {
    engine: Arc<Engine>,
    lingered: bool,
    /// How many writes in a row have failed by what passes by itself, and may be the doing of a single end.
    stuck: u32,
    /// Claims that are let go of while the next write is on its way.
    answered: Vec<(JobId, u32)>,
}

impl Completer {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, lingered: false, stuck: 0, answered: Vec::new() }
    }

    /// Writes what waits, and lets go of it; how many stay because somebody had them locked.
    pub(super) async fn flush(&mut self) -> Result<usize> {
        let busy = self.write().await;
        self.let_go();
        busy
    }

    /// Writes what waits, and lets go of what was written before; how many stay because somebody had them locked.
    async fn write(&mut self) -> Result<usize> {
        let engine = Arc::clone(&self.engine);
        let mut taken = engine.outbox.take();
        if taken.ended.is_empty() {
            return Ok(0);
        }
        engine.held.date(&mut taken.ended);
        let written = write(&*engine.session, &taken.ended, self.stuck >= STUCK);
        let (written, ()) = tokio::join!(biased; written, async { self.let_go() });
        let may_be_one = written.as_ref().is_err_and(Error::may_be_one_rows);
        self.stuck = if may_be_one { self.stuck.saturating_add(1) } else { 0 };
        let Written { mut answered, refused, .. } = written?;
        self.look_up(&mut answered).await;
        // Not after an error: who lingers then forgets how often it failed, and doesn't back off.
        self.lingered = false;
        let count = self.sort_out(answered);
        engine.outbox.set_aside(refused.into_iter().cloned(), &engine.platform.clock.mark());
        taken.answered();
        Ok(count)
    }

    fn let_go(&mut self) {
        self.engine.let_go(std::mem::take(&mut self.answered));
    }

    /// What was written without an answer is refused the second time. Of a discarded job the program is to be told all the same,
    /// so it is asked what has become of it; where there is no answer to that, both are done again.
    async fn look_up(&self, answered: &mut [(Cow<'_, Ended>, Verdict)]) {
        let is_discard = |ended: &Ended| matches!(ended.transition, Transition::Discard { .. });
        let doubtful = answered.iter_mut().filter(|(ended, verdict)| *verdict == Verdict::Lost && is_discard(ended));
        let doubtful: Vec<_> = doubtful.collect();
        if doubtful.is_empty() {
            return;
        }
        let ids = doubtful.iter().map(|(ended, _)| ended.id).collect();
        let found = within(PATIENCE, self.engine.client.backend().get(ids)).await.and_then(Result::ok);
        let unanswered = self.engine.outbox.unanswered();
        for (ended, verdict) in doubtful {
            let Some(found) = &found else {
                *verdict = Verdict::Busy;
                continue;
            };
            let stands = found.iter().find(|job| job.id == ended.id).map_or_else(
                || ended.keep.is_zero() && unanswered.contains(&(ended.id, ended.epoch)),
                |job| job.state == State::Discarded && job.epoch == ended.epoch,
            );
            if stands {
                *verdict = Verdict::Written;
            }
        }
    }

    fn sort_out(&mut self, answered: Vec<(Cow<'_, Ended>, Verdict)>) -> usize {
        if answered.iter().any(|(ended, _)| ended.transition.delay().is_some()) {
            // The promoter may mean to sleep past the moment at which one of these is due.
            self.engine.due.raise();
        }
        let (mut busy, mut done) = (Vec::new(), Vec::with_capacity(answered.len()));
        let (mut doubtful, mut concluded) = (self.engine.outbox.unanswered(), self.engine.outbox.concluded());
        for (ended, verdict) in answered {
            let claim = (ended.id, ended.epoch);
            let unanswered = verdict != Verdict::Busy && doubtful.remove(&claim);
            if verdict != Verdict::Busy {
                done.push(claim);
            }
            if verdict == Verdict::Written
                && let Transition::Discard { failure } = &ended.transition
            {
                self.engine.tell_of_discard(claim, failure);
            }
            match verdict {
                Verdict::Written => {}
                Verdict::Lost if concluded.remove(&claim) => {}
                Verdict::Busy => busy.push(ended.into_owned()),
                Verdict::Lost => {
                    let Ended { id, epoch, ran, .. } = *ended;
                    let (task, attempt) = self.engine.held.of(claim).unwrap_or_default();
                    if unanswered {
                        tracing::info!(job = %id, task, attempt, epoch, ?ran, "nothing is left to write: a write that got no answer stands, or this end came too late");
                    } else {
                        tracing::warn!(job = %id, task, attempt, epoch, ?ran, "this end came too late: the lease was lost");
                    }
                }
            }
        }
        drop((doubtful, concluded));
        self.answered.append(&mut done);
        let count = busy.len();
        self.engine.outbox.put_back(busy);
        count
    }
}

impl Service for Completer {
    const NAME: &'static str = "completer";

    fn signal(&self) -> Signal {
        self.engine.outbox.signal.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        let outbox = &self.engine.outbox;
        // It must not hold up the others.
        outbox.take_back(ASIDE);
        let waiting = outbox.len();
        if waiting == 0 {
            return Ok(if outbox.has_refused() { Next::After(ASIDE) } else { Next::OnSignal });
        }
        if waiting < MOST && !self.lingered {
            self.lingered = true;
            return Ok(Next::After(LINGER));
        }
        let busy = self.write().await?;
        Ok(if busy > 0 { Next::After(BUSY) } else { Next::Again })
    }

    fn pause(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Clock, ManualClock};

    fn ended() -> Ended {
        let transition = Transition::Complete;
        Ended {
            id: JobId(1),
            epoch: 1,
            ran: Duration::ZERO,
            ago: Duration::ZERO,
            transition,
            keep: Duration::ZERO,
            steps: None,
            follow_ups: Vec::new(),
            limit_keys: Vec::new(),
        }
    }

    #[test]
    fn ends_that_are_refused_hold_up_the_claimer_until_they_are_written() {
        let time = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let claimer = Signal::new();
        let (outbox, clock) = (Outbox::new(claimer.clone()), Clock::Manual(time.clone()));
        outbox.set_aside(vec![ended(); FULL], &clock.mark());
        assert!(outbox.holds_up() && outbox.len() == 0, "none waits to be written");
        outbox.take_back(ASIDE);
        assert_eq!(outbox.len(), 0, "it isn't time yet");
        time.advance(ASIDE);
        outbox.take_back(ASIDE);
        assert_eq!(outbox.len(), FULL);
        let mut batches = Vec::new();
        while outbox.len() > 0 {
            let taken = outbox.take();
            assert!(outbox.holds_up(), "they aren't written yet");
            batches.push(taken);
        }
        assert_eq!(claimer.count(), 0);
        batches.into_iter().for_each(Taken::answered);
        assert_eq!(claimer.count(), 1, "it is called once");
        assert!(!outbox.holds_up());
    }
}
