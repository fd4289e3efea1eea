//! The executor: one attempt is one value that walks through named steps, from a claimed job to what becomes of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq_core::{
    Claimed, Control, Failure, FailureKind, Outcome, Standing, State, TaskOptions, Timestamp, Transition, decide,
};
use tracing::Instrument;

use super::at_work::Stay;
use super::engine::Engine;
use super::guard::Guarded;
use super::held::Grip;
use super::pace::Paced;
use super::service::{LEAST, longest};
use crate::backend::{Ended, Verdict};
use crate::error::{Error, Kind, one_line};
use crate::platform::within;
use crate::task::{Attempt, BoundTask, FollowUps, Kept, Place, Stint, Token, run_within};
use crate::{Tx, platform};

/// How long a handler has to end by itself once it is to end.
const GRACE: Duration = Duration::from_secs(1);

const MAY_STAND: &str =
    "it isn't known whether the attempt's transaction stands with the job's completion: if not, the attempt has failed";
const DOUBTED: &str = "attempt ended early: its job is handed back unless the lease turns out to be lost";
const LOST: &str = "attempt ended early: its job is somebody else's";

/// Starts the jobs that a claim won, each in the slot that was taken for it; how many.
pub(super) fn start(engine: &Arc<Engine>, jobs: Vec<Claimed>) -> usize {
    let mut started = 0;
    for job in jobs {
        match Running::new(engine, job) {
            Ok(mut running) => {
                platform::spawn(async move { running.finish().await });
                started += 1;
            }
            Err(job) => {
                let Claimed { id, task, epoch, .. } = &*job;
                tracing::warn!(job = %id, task, epoch, "this claim was won before and isn't run twice");
                engine.make_room(task);
            }
        }
    }
    started
}

struct Running {
    engine: Arc<Engine>,
    job: Claimed,
    task: Option<Arc<BoundTask>>,
    /// For a blocking handler, where there was one when the job was claimed.
    place: Option<Place>,
    grip: Grip,
    started: Timestamp,
    follow_ups: Arc<FollowUps>,
    kept: Arc<Kept>,
    /// Whether the transaction of its handler may stand, whatever is written instead.
    may_stand: bool,
    _stay: Stay,
}

impl Running {
    /// Gives the job back where this claim of it runs already.
    fn new(engine: &Arc<Engine>, job: Claimed) -> Result<Self, Box<Claimed>> {
        let task = engine.tasks.get(job.task.as_str()).cloned();
        let (name, blocks) = task.as_ref().map_or(("", false), |task| (task.entry.name, task.entry.blocking));
        let started = engine.platform.clock.now();
        let Some(grip) = engine.held.add(&job, name, started) else { return Err(Box::new(job)) };
        let is_counted = task.as_ref().is_some_and(|task| is_counted(&task.entry.options));
        grip.alone().store(is_counted || engine.limits.counts(&job.task), Ordering::SeqCst);
        Ok(Self {
            place: if blocks { engine.blocking.reserve() } else { None },
            grip,
            started,
            follow_ups: Arc::default(),
            kept: Arc::default(),
            may_stand: false,
            _stay: engine.at_work.begin(),
            engine: Arc::clone(engine),
            job,
            task,
        })
    }

    async fn finish(&mut self) {
        let outcome = match self.task.clone() {
            // The process may have been stopped since the claim, or the worker declared gone.
            _ if self.engine.tenure.is_doubtful() || self.engine.halt.lost.is_cancelled() => Outcome::Released,
            // What hasn't begun when handlers are told to end doesn't begin.
            _ if self.engine.halt.hurry.is_cancelled() => Outcome::Released,
            Some(_) if self.job.expired => Outcome::Hopeless(Failure::expired()),
            Some(_) if self.job.damage.is_some() => self.damaged(),
            Some(task) => self.perform(&task).await,
            // Claims ask for known tasks only; should one come all the same, somebody else may know it.
            None => Outcome::Released,
        };
        self.grip.end();
        let outcome = match self.kept.take() {
            Some(tx) if outcome == Outcome::Completed => match Box::pin(self.conclude(tx)).await {
                Ok(()) => return self.leave(),
                Err(outcome) => outcome,
            },
            _ => outcome,
        };
        let ended = self.decide(outcome);
        self.report(ended);
    }

    /// Completes the job in the transaction of its handler. What fails, or isn't waited for as the worker stops, may stand all the
    /// same: what is written instead the fence refuses then.
    async fn conclude(&mut self, tx: Tx) -> Result<(), Outcome> {
        let ended = self.decide(Outcome::Completed);
        let ran = ended.ran;
        let limit = longest(LEAST, self.engine.lease, 0);
        let concluded = tokio::select! {
            concluded = within(limit, tx.conclude(self.engine.session.lease(), ended)) => concluded,
            () = self.engine.halt.abort.cancelled() => {
                self.engine.outbox.doubt((self.job.id, self.job.epoch));
                return Err(Outcome::Released);
            }
        };
        let silent = || Err(Error::new(Kind::Unreachable, "the commit of the attempt's transaction got no answer"));
        match concluded.unwrap_or_else(silent) {
            Ok(Verdict::Written) => {
                log(&self.job, &Transition::Complete, ran);
                if !self.job.limit_keys.is_empty() {
                    self.engine.outbox.push_concluded(self.concluded());
                }
            }
            Ok(Verdict::Lost) => {
                let Claimed { id, task, attempt, epoch, .. } = &self.job;
                tracing::warn!(job = %id, task, attempt, epoch, ?ran, "this end came too late and is undone: the lease was lost");
            }
            Ok(Verdict::Busy) => {
                return Err(Outcome::Failed(Failure::new(FailureKind::Error, "the job's row was locked by somebody")));
            }
            Err(error) => {
                self.engine.outbox.doubt((self.job.id, self.job.epoch));
                self.may_stand = error.is_away();
                let failure = Failure::from_error(FailureKind::Error, &error);
                if self.may_stand {
                    let Claimed { id, task, attempt, .. } = &self.job;
                    tracing::warn!(job = %id, task, attempt, ?ran, error = in_line(&failure), "{MAY_STAND}");
                }
                return Err(Outcome::Failed(failure));
            }
        }
        Ok(())
    }

    /// An end that is written, for what it leaves.
    fn concluded(&self) -> Ended {
        let Claimed { id, epoch, limit_keys, .. } = &self.job;
        let (ran, ago, keep) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let (transition, steps, follow_ups, limit_keys) = (Transition::Complete, None, Vec::new(), limit_keys.clone());
        Ended { id: *id, epoch: *epoch, ran, ago, transition, keep, steps, follow_ups, limit_keys }
    }

    /// After an end that is written.
    fn leave(&self) {
        self.engine.let_go([(self.job.id, self.job.epoch)]);
        self.engine.make_room(&self.job.task);
    }

    fn damaged(&self) -> Outcome {
        let what = self.job.damage.as_deref().unwrap_or_default();
        Outcome::Hopeless(Failure::new(FailureKind::Decode, &format!("the job can't be read: {what}")))
    }

    async fn perform(&mut self, task: &Arc<BoundTask>) -> Outcome {
        let attempt = self.introduce(task);
        let (codec, payload) = (self.job.codec, std::mem::take(&mut self.job.payload));
        let span = attempt.span.clone();
        let handler = Guarded::new(|| span.in_scope(|| run_within(task, Arc::clone(&attempt), codec, payload)));
        let mut handler = Paced::new(handler.instrument(span), self.grip.clone());
        let outcome = tokio::select! {
            biased;
            outcome = &mut handler => self.unless_hurried(outcome),
            () = self.engine.halt.abort.cancelled() => Outcome::Released,
            timeout = self.timeout(task) => {
                let failure = Failure::new(FailureKind::Timeout, &format!("the handler took longer than {timeout:?}"));
                self.end_early(handler, &attempt.token, failure).await
            }
            why = self.grip.doubted() => {
                let failure = Failure::new(FailureKind::LostLease, why);
                let ended = self.end_early(handler, &attempt.token, failure).await;
                self.unless_doubted(ended)
            }
            why = self.grip.cancelled() => self.end_cancelled(handler, &attempt.token, why).await,
        };
        if attempt.stint.is_on() && self.is_bounded(task) { self.outlast(&attempt, outcome).await } else { outcome }
    }

    /// Whether it is bounded how many attempts of the task run at once, anywhere or in this worker.
    fn is_bounded(&self, task: &BoundTask) -> bool {
        let options = &task.entry.options;
        options.per_worker().is_some() || is_counted(options) || self.engine.limits.counts(&self.job.task)
    }

    /// Waits for the thread of a handler that was left behind, which runs as any other does; not where the job is somebody
    /// else's, or nobody waits any more.
    async fn outlast(&self, attempt: &Attempt, outcome: Outcome) -> Outcome {
        tokio::select! {
            () = attempt.stint.over() => {}
            () = self.grip.lost() => {}
            () = self.engine.halt.abort.cancelled() => {}
        }
        // It may have been cancelled only meanwhile.
        self.grip.wish().map_or(outcome, |why| Outcome::Asked(Control::Cancel(why)))
    }

    /// A handler that was told to end because the worker stops, and ends with an error, has only done as it was told: its job is
    /// handed back like that of one who didn't listen.
    fn unless_hurried(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed(_) | Outcome::Judged(..) if self.engine.halt.hurry.is_cancelled() => Outcome::Released,
            outcome => outcome,
        }
    }

    /// An attempt that was ended as its lease was in doubt isn't to blame: should the lease hold after all, its job is handed back.
    fn unless_doubted(&self, outcome: Outcome) -> Outcome {
        let Outcome::Failed(failure) = outcome else { return outcome };
        let Claimed { id, task, attempt, .. } = &self.job;
        let what = if self.grip.is_lost() { LOST } else { DOUBTED };
        tracing::warn!(job = %id, task, attempt, kind = %failure.kind(), error = in_line(&failure), "{what}");
        Outcome::Released
    }

    /// Waits until the attempt has run for as long as it may, for ever where nobody said how long that is.
    async fn timeout(&self, task: &BoundTask) -> Duration {
        let Some(timeout) = self.job.timeout.or(task.entry.options.timeout()) else {
            return std::future::pending().await;
        };
        self.engine.platform.clock.sleep(timeout).await;
        timeout
    }

    /// Gives the handler a moment to end by itself. If it succeeds in that, it has succeeded; else it has failed for the
    /// reason that it is ended for, whatever it says then.
    async fn end_early(&self, handler: Paced, token: &Token, failure: Failure) -> Outcome {
        token.cancel();
        tokio::select! {
            biased;
            outcome = handler => match outcome {
                Outcome::Completed => outcome,
                Outcome::Failed(last) => Outcome::Failed(failure.with_cause(last.message())),
                _ => Outcome::Failed(failure),
            },
            () = self.engine.halt.abort.cancelled() => Outcome::Released,
            () = self.engine.platform.clock.sleep(GRACE) => Outcome::Failed(failure),
        }
    }

    /// Gives the handler a moment to end by itself. However it ends, the job is cancelled.
    async fn end_cancelled(&self, handler: Paced, token: &Token, why: String) -> Outcome {
        token.cancel();
        tokio::select! {
            _ = handler => {}
            () = self.engine.halt.abort.cancelled() => {}
            () = self.engine.platform.clock.sleep(GRACE) => {}
        }
        Outcome::Asked(Control::Cancel(why))
    }

    fn introduce(&mut self, task: &BoundTask) -> Arc<Attempt> {
        let Claimed { id, queue, attempt, .. } = &self.job;
        // Of the highest level, so that no filter of levels takes the job's name away from a handler's warnings and errors.
        let span = tracing::error_span!(target: "pgq", parent: None, "attempt", job = %id, task = task.entry.name, queue, attempt);
        Arc::new(Attempt {
            id: self.job.id,
            task: task.entry.name,
            queue: std::mem::take(&mut self.job.queue),
            epoch: self.job.epoch,
            number: self.job.attempt,
            max_attempts: self.job.max_attempts,
            crashes: self.job.crashes,
            headers: std::mem::take(&mut self.job.headers),
            tick: self.job.tick.take(),
            token: Token::under(&self.engine.halt.hurry),
            alone: self.grip.alone(),
            gauge: self.grip.gauge(),
            client: self.engine.client.clone(),
            follow_ups: Arc::clone(&self.follow_ups),
            kept: Arc::clone(&self.kept),
            blocking: Arc::clone(&self.engine.blocking),
            place: Mutex::new(self.place.take()),
            stint: Stint::default(),
            span,
        })
    }

    fn decide(&self, outcome: Outcome) -> Ended {
        let options = self.task.as_ref().map(|task| task.entry.options).unwrap_or_default();
        if let Outcome::Judged(failure, control) = &outcome {
            let (job, task, attempt) = (self.job.id, &self.job.task, self.job.attempt);
            tracing::warn!(%job, %task, attempt, error = in_line(failure), %control, "attempt failed, and its task says what to do");
        }
        let standing = Standing { attempt: self.job.attempt, max_attempts: self.job.max_attempts };
        let transition = decide(outcome, standing, options.retry(), self.engine.platform.random());
        let keep = match State::Running.after(transition.event()) {
            Some(State::Completed) => options.keep().completed,
            Some(State::Cancelled) => options.keep().cancelled,
            Some(State::Discarded) => options.keep().discarded,
            _ => Duration::ZERO,
        };
        let ran = self.engine.platform.clock.now().since(self.started);
        // Taken in any case, so that what a handler left running gets an error instead of being forgotten.
        let follow_ups = self.follow_ups.take();
        let follow_ups = if transition == Transition::Complete { follow_ups } else { Vec::new() };
        let limit_keys = self.job.limit_keys.clone();
        let steps = self.grip.gauge().unwritten();
        if transition.failure().is_some() {
            self.grip.pace().fail(self.engine.platform.clock.mark());
        }
        let ago = Duration::ZERO;
        Ended { id: self.job.id, epoch: self.job.epoch, ran, ago, transition, keep, steps, follow_ups, limit_keys }
    }

    /// The slot is free before the end is written, so that the next job needn't wait for the flush.
    fn report(&self, ended: Ended) {
        if !self.may_stand {
            log(&self.job, &ended.transition, ended.ran);
        }
        if ended.transition == Transition::Release && self.engine.halt.drain.is_cancelled() {
            self.engine.handed.note(ended.id, &self.job.task);
        }
        self.engine.outbox.push(ended);
        self.engine.make_room(&self.job.task);
    }
}

/// Whether it is bounded how many attempts of a task run at once.
fn is_counted(options: &TaskOptions) -> bool {
    options.own_limit().concurrency.is_some() || options.limits().iter().any(|limit| limit.concurrency.is_some())
}

/// Failures are warnings, what was given up is an error: an operator who sees only those sees what needs him.
fn log(job: &Claimed, transition: &Transition, ran: Duration) {
    let (id, task, attempt) = (job.id, &job.task, job.attempt);
    match transition {
        Transition::Retry { after, failure } => {
            tracing::warn!(job = %id, %task, attempt, ?ran, ?after, kind = %failure.kind(), error = in_line(failure), "attempt failed");
        }
        Transition::Discard { failure } => {
            tracing::error!(job = %id, %task, attempt, ?ran, kind = %failure.kind(), error = in_line(failure), "job discarded");
        }
        other => tracing::debug!(job = %id, %task, attempt, ?ran, event = ?other.event(), "attempt ended"),
    }
}

/// What the database couldn't do is often told by its causes only.
fn in_line(failure: &Failure) -> String {
    one_line(failure.message().to_owned(), failure.chain())
}
