//! A job that is not enqueued yet.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use pgq_core::{Codec, Headers, NewJob, OnConflict, Priority, Timestamp, When, literal};
use serde_json::Value;

use super::arguments::Arguments;
use super::outgoing::Gate;
use super::unique::Wish;
use super::{AnyTask, Enqueue, Target};
use crate::backend::Declaration;
use crate::error::{Error, Kind, Result};
use crate::task::Task;

/// A job in the making: what differs from the task's options. `send_welcome::job(args)` gives one.
///
/// ```
/// # use std::time::Duration;
/// # #[pgq::task]
/// # async fn charge(order: u64) -> Result<(), pgq::BoxError> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
/// # let client = pgq::Client::memory();
/// let handle = charge::job(7)
///     .priority(10)
///     .delay(Duration::from_secs(60))
///     .header("tenant", "acme")
///     .enqueue(&client)
///     .await?;
/// # assert!(handle.is_new());
/// # Ok(()) }
/// ```
#[must_use = "a job does nothing until it is enqueued"]
pub struct JobBuilder<T> {
    job: NewJob,
    unique: Wish,
    /// The first mistake is kept, and told when the job is enqueued.
    mistake: Option<Error>,
    task: PhantomData<fn() -> T>,
}

impl<T: Task> JobBuilder<T> {
    /// A job with the options of its task.
    #[expect(clippy::needless_pass_by_value, reason = "so that the caller needn't keep them")]
    pub fn new(args: T::Args) -> Self {
        let options = T::OPTIONS;
        let job = NewJob {
            task: Cow::Borrowed(T::NAME),
            queue: Cow::Borrowed(options.queue()),
            priority: options.priority(),
            when: When::Now,
            max_attempts: options.attempts(),
            timeout: None,
            expires_in: options.expires_in(),
            unique: None,
            codec: Codec::MessagePack,
            payload: Vec::new(),
            headers: Headers::new(),
            tick: None,
            limit_keys: Vec::new(),
        };
        Self::with(job, Arguments::of_task::<T>(&args), Wish::of_task::<T>)
    }
}

impl JobBuilder<AnyTask> {
    /// A job of a task that is known by what workers declare of it.
    pub(super) fn declared(task: &Declaration, args: Result<Arguments>) -> Self {
        let job = NewJob {
            task: Cow::Owned(task.name.clone()),
            queue: Cow::Owned(task.queue.clone()),
            priority: task.priority(),
            when: When::Now,
            max_attempts: task.attempts(),
            timeout: None,
            expires_in: task.expires_in(),
            unique: None,
            codec: Codec::Json,
            payload: Vec::new(),
            headers: Headers::new(),
            tick: None,
            limit_keys: Vec::new(),
        };
        Self::with(job, args, |args| Wish::of_declaration(task, args))
    }
}

impl<T> JobBuilder<T> {
    fn with(mut job: NewJob, args: Result<Arguments>, wish: impl FnOnce(&Value) -> Wish) -> Self {
        let (unique, mistake) = match args {
            Ok(Arguments { codec, payload, limit_keys, shown }) => {
                (job.codec, job.payload, job.limit_keys) = (codec, payload, limit_keys);
                (wish(&shown), None)
            }
            Err(error) => (Wish::default(), Some(error)),
        };
        Self { job, unique, mistake, task: PhantomData }
    }

    /// The lane that it waits in, instead of its task's.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        match literal::name(&name) {
            Ok(_) => self.job.queue = Cow::Owned(name),
            Err(error) => self.mistake(Error::invalid(format!("the queue's name isn't valid: {error}"))),
        }
        self
    }

    /// −32,767 to 32,767; a higher number runs first, over all tasks and queues of a worker.
    pub fn priority(mut self, priority: i16) -> Self {
        match Priority::new(priority) {
            Some(priority) => self.job.priority = priority,
            None => self.mistake(Error::invalid("expected a priority of -32767 to 32767, got -32768")),
        }
        self
    }

    /// Not before so much time has passed since it was enqueued, by the database's clock; at most 100 years.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.check_span("delay", delay);
        self.job.when = When::After(delay);
        self
    }

    /// Not before an instant, such as a [`SystemTime`](std::time::SystemTime) or a [`Timestamp`]; one in the past means at
    /// once.
    pub fn at(mut self, instant: impl Into<Timestamp>) -> Self {
        let instant = instant.into();
        if !(EARLIEST..=LATEST).contains(&instant) {
            self.mistake(Error::invalid("expected an instant from the year -4712 to 9999"));
        }
        self.job.when = When::At(instant);
        self
    }

    /// How many attempts may start in total, at least 1, instead of what its task says.
    pub fn max_attempts(mut self, attempts: u16) -> Self {
        const MOST: u16 = i16::MAX.unsigned_abs();
        if !(1..=MOST).contains(&attempts) {
            self.mistake(Error::invalid(format!("expected 1 to {MOST} attempts, got {attempts}")));
        }
        self.job.max_attempts = attempts;
        self
    }

    /// How long an attempt may run, instead of what its task says; more than zero, at most 100 years. Then the attempt's token
    /// fires, and if the handler hasn't succeeded a second later, the attempt has failed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.check_span("timeout", timeout);
        if timeout.is_zero() {
            self.mistake(Error::invalid("expected a timeout of more than zero"));
        }
        self.job.timeout = Some(timeout);
        self
    }

    /// How long after it could run the job may begin, instead of what its task says; more than zero, at most 100 years. If no
    /// attempt has begun by then, the job is discarded as expired: when its turn comes, or within a minute.
    pub fn expires_in(mut self, span: Duration) -> Self {
        self.check_span("time to begin in", span);
        if span.is_zero() {
            self.mistake(Error::invalid("expected a time to begin in of more than zero"));
        }
        self.job.expires_in = Some(span);
        self
    }

    /// The only one of its task with this unique key, instead of what its task says, while it is scheduled, available, running
    /// or retryable; at most 512 bytes. Unless [`on_conflict`](JobBuilder::on_conflict) says otherwise, a second one is refused:
    /// [`Error::is_duplicate`](crate::Error::is_duplicate). In a batch its handle says so.
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique.key = Some(key.into());
        self
    }

    /// What happens if another one has the unique key, instead of what its task says.
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.unique.on_conflict = Some(on_conflict);
        self
    }

    /// For how long the unique key stays taken after the job has completed or was discarded, instead of what its task says;
    /// at most 100 years.
    pub fn unique_for(mut self, window: Duration) -> Self {
        self.check_span("window", window);
        self.unique.window = Some(window);
        self
    }

    /// Text that travels along and is read by [`Context::headers`](crate::Context::headers): a tenant, a trace. All
    /// together up to 8 KiB; without NUL.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.job.headers.insert(name.into(), value.into());
        self
    }

    /// A header without a value, to find jobs by: [`Jobs::tag`](crate::Jobs::tag).
    pub fn tag(self, name: impl Into<String>) -> Self {
        self.header(name, "")
    }

    /// Without the unique key that its task declares.
    pub(super) fn without_declared_key(mut self) -> Self {
        self.unique = self.unique.own();
        self
    }

    /// Enqueues it.
    pub fn enqueue<'t>(self, target: impl Target<'t>) -> Enqueue<'t, T> {
        Enqueue::new(target, self.job.task.clone(), self.into())
    }

    fn mistake(&mut self, error: Error) {
        self.mistake.get_or_insert(error);
    }

    fn check_span(&mut self, what: &str, span: Duration) {
        if span > literal::MAX_SPAN {
            self.mistake(Error::invalid(format!("expected a {what} of at most 100 years, got {span:?}")));
        }
    }
}

impl<T> fmt::Debug for JobBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobBuilder").field("task", &self.job.task).finish_non_exhaustive()
    }
}

/// A job of any task, encoded; mixed ones go in one batch through [`enqueue_many`](crate::enqueue_many). What is cloned is enqueued
/// as a job of its own, as where a transaction is tried again.
#[derive(Clone)]
#[must_use = "a job does nothing until it is enqueued"]
pub struct AnyJob(Result<NewJob>);

impl<T> From<JobBuilder<T>> for AnyJob {
    fn from(JobBuilder { mut job, unique, mistake, .. }: JobBuilder<T>) -> Self {
        let checked = mistake.map_or(Ok(()), Err).and_then(|()| check_headers(&job.headers));
        match checked.and_then(|()| unique.fulfilled()) {
            Ok(unique) => {
                job.unique = unique;
                Self(Ok(job))
            }
            Err(error) => Self(Err(error.about_task(&job.task))),
        }
    }
}

/// The beginning of the year −4712, a year after PostgreSQL's time begins.
pub(super) const EARLIEST: Timestamp = Timestamp::from_micros(-210_835_267_200_000_000);
/// The end of the year 9999, after which no span of ours can overflow PostgreSQL's time.
pub(super) const LATEST: Timestamp = Timestamp::from_micros(253_402_300_799_999_999);

/// The most bytes that the headers of a job have together.
const MAX_HEADERS: usize = 8 * 1024;

pub(super) fn check_headers(headers: &Headers) -> Result<()> {
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_HEADERS {
        return Err(Error::invalid(format!("expected headers of at most {MAX_HEADERS} bytes together, got {size}")));
    }
    match headers.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        Some((name, _)) => Err(Error::invalid(format!("expected a header without NUL, got one in {name:?}"))),
        None => Ok(()),
    }
}

/// The most bytes of payload in one batch: a message to PostgreSQL ends at 1 GB, and is built in memory.
const MAX_BATCH: usize = 256 << 20;

impl AnyJob {
    /// The job, if nothing about it was a mistake, its payload isn't too large, and it passes what the client asks of it.
    pub(super) fn ready(self, gate: &Gate) -> Result<NewJob> {
        let mut job = self.0?;
        let max_payload = gate.max_payload;
        let size = job.payload.len();
        if size > max_payload {
            let message = format!(
                "expected a payload of at most {max_payload} bytes, got {size}: keep what is large in a table or \
                 bucket of its own and its key in the job, or raise the client's `max_payload` (PGQ_MAX_PAYLOAD)"
            );
            return Err(Error::new(Kind::Payload, message).about_task(&job.task));
        }
        gate.pass(&mut job)?;
        Ok(job)
    }

    /// All of them, or the first mistake.
    pub(super) fn all_ready(jobs: Vec<Self>, gate: &Gate) -> Result<Vec<NewJob>> {
        let jobs: Vec<NewJob> = jobs.into_iter().map(|job| job.ready(gate)).collect::<Result<_>>()?;
        let size: usize = jobs.iter().map(|job| job.payload.len()).sum();
        if size > MAX_BATCH && jobs.len() > 1 {
            let message =
                format!("expected a batch of at most {MAX_BATCH} bytes of payload, got {size}: send it in parts");
            return Err(Error::new(Kind::Payload, message));
        }
        Ok(jobs)
    }
}

impl fmt::Debug for AnyJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyJob").field("task", &self.0.as_ref().map(|job| &*job.task).ok()).finish_non_exhaustive()
    }
}
