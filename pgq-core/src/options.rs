//! What a task declares about its jobs.

use std::time::Duration;

use crate::{Bounds, Limit, Priority, Rate, Retry, Schedule, UniqueBy};

/// The name of the queue of a task that names none.
pub const DEFAULT_QUEUE: &str = "default";

/// The options of a task, as its attribute declares them. Built in `const` context, one method an option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskOptions {
    queue: &'static str,
    priority: Priority,
    attempts: u16,
    retry: Retry,
    timeout: Option<Duration>,
    expires_in: Option<Duration>,
    unique: Option<UniqueBy>,
    keep: Keep,
    schedule: Option<Schedule>,
    own: Bounds,
    per_worker: Option<u32>,
    limits: &'static [Limit],
}

/// How long finished jobs are kept; a span of zero keeps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// For completed jobs.
    pub completed: Duration,
    /// For cancelled jobs.
    pub cancelled: Duration,
    /// For discarded jobs.
    pub discarded: Duration,
}

impl Keep {
    /// Completed jobs a day, cancelled and discarded ones a week.
    pub const DEFAULT: Self = Self { completed: days(1), cancelled: days(7), discarded: days(7) };
    /// Nothing: for work that nobody asks about afterwards.
    pub const NONE: Self = Self { completed: Duration::ZERO, cancelled: Duration::ZERO, discarded: Duration::ZERO };
}

const fn days(days: u64) -> Duration {
    Duration::from_hours(days * 24)
}

impl TaskOptions {
    /// The options of a task that says nothing: queue `default`, priority 0, 20 attempts, [`Retry::DEFAULT`], no timeout,
    /// no time to begin in, [`Keep::DEFAULT`], no limits.
    pub const DEFAULT: Self = Self {
        queue: DEFAULT_QUEUE,
        priority: match Priority::new(0) {
            Some(zero) => zero,
            None => unreachable!(),
        },
        attempts: 20,
        retry: Retry::DEFAULT,
        timeout: None,
        expires_in: None,
        unique: None,
        keep: Keep::DEFAULT,
        schedule: None,
        own: Bounds { concurrency: None, rate: None },
        per_worker: None,
        limits: &[],
    };

    /// The lane that its jobs wait in.
    #[must_use]
    pub const fn with_queue(self, queue: &'static str) -> Self {
        Self { queue, ..self }
    }

    /// The priority that its jobs have unless one says otherwise.
    #[must_use]
    pub const fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// How many attempts a job may start in total, at least 1.
    #[must_use]
    pub const fn with_attempts(self, attempts: u16) -> Self {
        Self { attempts, ..self }
    }

    /// How long a failed job waits.
    #[must_use]
    pub const fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// How long an attempt may run.
    #[must_use]
    pub const fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// How long after it could run a job may begin.
    #[must_use]
    pub const fn with_expires_in(self, span: Duration) -> Self {
        Self { expires_in: Some(span), ..self }
    }

    /// That there is one job at a time for each unique key.
    #[must_use]
    pub const fn with_unique(self, unique: UniqueBy) -> Self {
        Self { unique: Some(unique), ..self }
    }

    /// How long finished jobs are kept.
    #[must_use]
    pub const fn with_keep(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// When jobs of it are made by themselves.
    #[must_use]
    pub const fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule: Some(schedule), ..self }
    }

    /// How many attempts of it may run at once, over the fleet.
    #[must_use]
    pub const fn with_concurrency(self, most: u32) -> Self {
        Self { own: Bounds { concurrency: Some(most), ..self.own }, ..self }
    }

    /// How many attempts of it may start in how long, over the fleet.
    #[must_use]
    pub const fn with_rate(self, rate: Rate) -> Self {
        Self { own: Bounds { rate: Some(rate), ..self.own }, ..self }
    }

    /// How many attempts of it one worker may run at once.
    #[must_use]
    pub const fn with_per_worker(self, most: u32) -> Self {
        Self { per_worker: Some(most), ..self }
    }

    /// The limits beside its own.
    #[must_use]
    pub const fn with_limits(self, limits: &'static [Limit]) -> Self {
        Self { limits, ..self }
    }

    /// The lane that its jobs wait in.
    #[must_use]
    pub const fn queue(&self) -> &'static str {
        self.queue
    }

    /// The priority that its jobs have unless one says otherwise.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// How many attempts a job may start in total.
    #[must_use]
    pub const fn attempts(&self) -> u16 {
        self.attempts
    }

    /// How long a failed job waits.
    #[must_use]
    pub const fn retry(&self) -> &Retry {
        &self.retry
    }

    /// How long an attempt may run.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long after it could run a job may begin.
    #[must_use]
    pub const fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// That there is one job at a time for each unique key.
    #[must_use]
    pub const fn unique(&self) -> Option<&UniqueBy> {
        self.unique.as_ref()
    }

    /// When jobs of it are made by themselves.
    #[must_use]
    pub const fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// How many attempts of it may run at once, and start in how long, over the fleet.
    #[must_use]
    pub const fn own_limit(&self) -> Bounds {
        self.own
    }

    /// How many attempts of it one worker may run at once.
    #[must_use]
    pub const fn per_worker(&self) -> Option<u32> {
        self.per_worker
    }

    /// The limits beside its own.
    #[must_use]
    pub const fn limits(&self) -> &'static [Limit] {
        self.limits
    }

    /// How long finished jobs are kept.
    #[must_use]
    pub const fn keep(&self) -> Keep {
        self.keep
    }
}

impl Default for TaskOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
