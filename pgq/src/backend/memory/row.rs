//! A job's row.

use std::sync::Arc;
use std::time::Duration;

use pgq_core::crash::{self, Fate};
use pgq_core::failure::MAX_FAILURES;
use pgq_core::{
    Claimed, Failure, Headers, JobId, Lease, NewJob, OnConflict, Priority, State, Tick, Timestamp, Unique, When,
};

use crate::backend::{Change, Discarded, FailedAttempt, JobInfo, Lost, Progress, Steps, Want};

/// A queue and task: what wants name, and what ready jobs are listed by.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    queue: Arc<str>,
    task: Arc<str>,
}

impl Lane {
    /// Its task and queue.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.task, &self.queue)
    }
}

impl From<&Want> for Lane {
    fn from(want: &Want) -> Self {
        Self { queue: Arc::clone(&want.queue), task: Arc::clone(&want.task) }
    }
}

impl From<&NewJob> for Lane {
    fn from(job: &NewJob) -> Self {
        Self { queue: Arc::from(&*job.queue), task: Arc::from(&*job.task) }
    }
}

/// By what ready jobs are sorted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) rank: i16,
    pub(super) run_at: Timestamp,
    pub(super) id: JobId,
}

/// Which list a row stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// May be claimed.
    Ready,
    /// Waits to be promoted, in this state until it is due.
    Deferred(State),
    /// Waits before the gate of this one of its limit keys.
    Parked(u8),
    /// A worker holds it.
    Held(Lease),
}

/// A job that isn't finished, or that history keeps.
pub(super) struct Row {
    pub(super) id: JobId,
    pub(super) lane: Lane,
    pub(super) place: Place,
    pub(super) run_at: Timestamp,
    pub(super) epoch: u32,
    attempt: u16,
    crashes: u16,
    max_attempts: u16,
    /// What `max_attempts` was at first.
    granted: u16,
    priority: Priority,
    pub(super) created: Timestamp,
    codec: i16,
    timeout: Option<Duration>,
    pub(super) unique: Option<Unique>,
    expires_at: Option<Timestamp>,
    pub(super) headers: Headers,
    tick: Option<Tick>,
    pub(super) limit_keys: Vec<String>,
    payload: Vec<u8>,
    /// Who claimed it last, as `host:pid`.
    holder: Arc<str>,
    /// How far its last attempt has come.
    progress: Option<Progress>,
    pub(super) failures: Vec<FailedAttempt>,
}

impl Row {
    pub(super) fn new(id: JobId, job: NewJob, now: Timestamp) -> Self {
        let mut row = Self {
            id,
            lane: Lane::from(&job),
            place: Place::Ready,
            run_at: now,
            epoch: 0,
            attempt: 0,
            crashes: 0,
            max_attempts: job.max_attempts,
            granted: job.max_attempts,
            priority: job.priority,
            created: now,
            codec: job.codec.number(),
            timeout: job.timeout,
            unique: job.unique,
            expires_at: None,
            headers: job.headers,
            tick: job.tick,
            limit_keys: job.limit_keys,
            payload: job.payload,
            holder: Arc::default(),
            progress: None,
            failures: Vec::new(),
        };
        row.wait_until(due(job.when, now), State::Scheduled, now);
        row.expires_at = job.expires_in.map(|span| row.run_at.max(now).saturating_add(span));
        row
    }

    /// Its task and unique key.
    pub(super) fn unique_key(&self) -> Option<(String, String)> {
        self.unique.as_ref().map(|unique| (self.lane.task.to_string(), unique.key.clone()))
    }

    pub(super) fn on_conflict(&self) -> OnConflict {
        self.unique.as_ref().map(|unique| unique.on_conflict).unwrap_or_default()
    }

    /// Takes over what another one carries; what has happened to it stays.
    pub(super) fn replace(&mut self, other: Self) {
        let (id, created, attempt, crashes, epoch) = (self.id, self.created, self.attempt, self.crashes, self.epoch);
        let (progress, failures) = (self.progress, std::mem::take(&mut self.failures));
        *self = Self { id, epoch, attempt, crashes, created, progress, failures, ..other };
        self.max_attempts = self.max_attempts.max(attempt + 1);
    }

    pub(super) fn raise(&mut self, priority: Priority) {
        self.priority = self.priority.max(priority);
    }

    /// Changes what is asked for. It has as long to begin as it had.
    pub(super) fn edit(&mut self, change: Change, now: Timestamp) {
        self.priority = change.priority.unwrap_or(self.priority);
        if let Some((codec, payload)) = change.payload {
            (self.codec, self.payload) = (codec.number(), payload);
        }
        if let Some(limit_keys) = change.limit_keys {
            self.limit_keys = limit_keys;
            if matches!(self.place, Place::Parked(_)) {
                // Other limit keys have other gates.
                self.place = Place::Ready;
            }
        }
        if let Some(when) = change.when {
            // From when on it may run, which a time in the past doesn't move.
            let (due, before) = (due(when, now), self.run_at.max(self.created));
            let state = if let Place::Deferred(state) = self.place { state } else { State::Scheduled };
            self.wait_until(due, state, now);
            self.expires_at = self.expires_at.map(|until| due.max(now).saturating_add(until.since(before)));
        }
    }

    pub(super) fn priority(&self) -> Priority {
        self.priority
    }

    pub(super) fn key(&self) -> Key {
        Key { rank: self.priority.rank(), run_at: self.run_at, id: self.id }
    }

    /// Where it stands. The reader can't tell promoted from due.
    pub(super) fn state(&self, now: Timestamp) -> State {
        match self.place {
            Place::Held(_) => State::Running,
            Place::Deferred(state) if self.run_at > now => state,
            Place::Deferred(_) | Place::Parked(_) | Place::Ready => State::Available,
        }
    }

    /// Ready at once where `due` has come.
    pub(super) fn wait_until(&mut self, due: Timestamp, state: State, now: Timestamp) {
        self.run_at = due;
        self.place = if due > now { Place::Deferred(state) } else { Place::Ready };
    }

    pub(super) fn claim(&mut self, lease: Lease, holder: &Arc<str>, now: Timestamp) -> Claimed {
        self.place = Place::Held(lease);
        self.holder = Arc::clone(holder);
        self.epoch = self.epoch.saturating_add(1);
        self.attempt = self.attempt.saturating_add(1);
        self.progress = None;
        self.claimed(now)
    }

    pub(super) fn refund(&mut self) {
        self.attempt = self.attempt.saturating_sub(1);
    }

    /// Handed back: it keeps the place in line that it was claimed from.
    pub(super) fn release(&mut self) {
        self.refund();
        self.place = Place::Ready;
    }

    /// Available again by hand: its attempts go on counting, and as many as it had at first are granted anew.
    pub(super) fn grant(&mut self, now: Timestamp) {
        self.max_attempts = self.attempt.saturating_add(self.granted).min(i16::MAX.unsigned_abs());
        (self.crashes, self.expires_at) = (0, None);
        self.wait_until(now, State::Available, now);
    }

    /// It was this lease's, whose worker is gone.
    pub(super) fn lost_by(&self, lease: Lease) -> Lost {
        Lost { id: self.id, task: self.lane.task.to_string(), lease, worker: self.holder.to_string() }
    }

    /// Its holder died with it. It runs again, or is to be discarded.
    pub(super) fn rescue(&mut self, now: Timestamp) -> Option<Discarded> {
        let failure = crash::failure(&self.holder);
        self.note(&failure, None, now);
        self.crashes = self.crashes.saturating_add(1);
        match crash::fate(self.crashes, self.attempt, self.max_attempts) {
            Fate::Again(pause) => {
                // Nobody is to blame the first time, so it keeps its place.
                let until = if pause.is_zero() { self.run_at } else { now.saturating_add(pause) };
                self.wait_until(until, State::Retryable, now);
                None
            }
            Fate::Discarded => Some(Discarded::new(self.id, self.lane.task.to_string(), self.attempt, failure)),
        }
    }

    /// Nobody has begun it in time, or holds it.
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        let over = self.expires_at.is_some_and(|until| until <= now);
        over && self.attempt == 0 && !matches!(self.place, Place::Held(_))
    }

    /// It is to be discarded.
    pub(super) fn expire(&mut self, now: Timestamp) -> Discarded {
        let failure = Failure::expired();
        self.note(&failure, None, now);
        Discarded::new(self.id, self.lane.task.to_string(), self.attempt, failure)
    }

    /// It may be the one that killed its workers.
    pub(super) fn is_suspect(&self) -> bool {
        self.crashes >= crash::SUSPECT
    }

    /// An attempt ended by itself: it has killed nobody, and begun in time.
    pub(super) fn clear(&mut self) {
        self.crashes = 0;
        self.begun();
    }

    /// An attempt began in time.
    pub(super) fn begun(&mut self) {
        self.expires_at = None;
    }

    /// A claim was held up at the gate of this one of its limit keys.
    pub(super) fn park(&mut self, gate: u8) {
        self.place = Place::Parked(gate);
        self.progress = None;
    }

    pub(super) fn advance(&mut self, steps: Steps, now: Timestamp) {
        self.progress = Some(steps.at(now));
    }

    /// `ran` for how long, where that is known, and until when.
    pub(super) fn note(&mut self, failure: &Failure, ran: Option<Duration>, ended: Timestamp) {
        let is_held = matches!(self.place, Place::Held(_));
        if self.failures.len() == MAX_FAILURES {
            self.failures.remove(0);
        }
        self.failures.push(FailedAttempt {
            attempt: self.attempt,
            epoch: self.epoch,
            kind: failure.kind(),
            message: failure.message().to_owned(),
            chain: failure.chain().to_vec(),
            worker: is_held.then(|| self.holder.to_string()),
            started: ran.map(|ran| ended.saturating_sub(ran)),
            ended,
        });
    }

    fn claimed(&self, now: Timestamp) -> Claimed {
        Claimed {
            id: self.id,
            epoch: self.epoch,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            crashes: self.crashes,
            queue: self.lane.queue.to_string(),
            task: self.lane.task.to_string(),
            codec: self.codec,
            priority: self.priority,
            run_at: self.run_at,
            created: self.created,
            timeout: self.timeout,
            // Only a first attempt is too late: what has begun may go on.
            expired: self.attempt == 1 && self.expires_at.is_some_and(|until| until <= now),
            damage: None,
            headers: self.headers.clone(),
            tick: self.tick.clone(),
            limit_keys: self.limit_keys.clone(),
            payload: self.payload.clone(),
        }
    }

    /// The schedule that made it, where one did.
    pub(super) fn schedule(&self) -> Option<&str> {
        self.tick.as_ref().map(|tick| tick.schedule.as_str())
    }

    pub(super) fn info(&self, state: State, finished: Option<Timestamp>) -> JobInfo {
        JobInfo {
            id: self.id,
            task: self.lane.task.to_string(),
            queue: self.lane.queue.to_string(),
            state,
            priority: self.priority,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            epoch: self.epoch,
            crashes: self.crashes,
            created: self.created,
            run_at: self.run_at,
            finished,
            progress: self.progress,
            headers: self.headers.clone(),
            tick: self.tick.clone(),
            codec: self.codec,
            payload: self.payload.clone(),
            failures: self.failures.clone(),
            damage: None,
        }
    }
}

fn due(when: When, now: Timestamp) -> Timestamp {
    match when {
        When::Now => now,
        When::After(span) => now.saturating_add(span),
        When::At(instant) => instant,
    }
}
