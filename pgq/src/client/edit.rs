//! A change of a job that waits.

use std::time::Duration;

use pgq_core::{Priority, Timestamp, When, literal};

use serde::Serialize;

use super::DeclaredTask;
use super::arguments::Arguments;
use super::job::{EARLIEST, LATEST};
use crate::backend::Change;
use crate::error::{Error, Kind, Result};
use crate::task::Task;

/// What is to be changed of a queued job by [`Client::edit`](crate::Client::edit); what isn't said stays.
///
/// ```
/// # use std::time::Duration;
/// # #[pgq::task]
/// # async fn charge(order: u64) -> Result<(), pgq::BoxError> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
/// # let client = pgq::Client::memory();
/// let id = charge::enqueue(&client, 7).await?.id();
/// client.edit(id, pgq::Edit::new().args::<charge>(8).priority(10).delay(Duration::from_secs(60))).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
#[must_use = "an edit does nothing until it is given to a client"]
pub struct Edit {
    change: Change,
    mistake: Option<Error>,
}

impl Edit {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Other arguments. A job of another task stays as it is, and the answer says so. Its unique key stays what it was; the limit
    /// keys follow the arguments.
    #[expect(clippy::needless_pass_by_value, reason = "as in `enqueue`, so that the caller needn't keep them")]
    pub fn args<T: Task>(mut self, args: T::Args) -> Self {
        self.carry(T::NAME, Arguments::of_task::<T>(&args));
        self
    }

    /// The same for whoever doesn't have the task's type: as JSON, checked as in [`DeclaredTask::job`].
    pub fn args_of(mut self, task: &DeclaredTask, args: impl Serialize) -> Self {
        self.carry(task.name(), task.arguments(args));
        self
    }

    /// −32,767 to 32,767; a higher number runs first.
    pub fn priority(mut self, priority: i16) -> Self {
        match Priority::new(priority) {
            Some(priority) => self.change.priority = Some(priority),
            None => self.mistake(Error::invalid("expected a priority of -32767 to 32767, got -32768")),
        }
        self
    }

    /// Not before so much time has passed from now, by the database's clock; at most 100 years.
    pub fn delay(mut self, delay: Duration) -> Self {
        if delay > literal::MAX_SPAN {
            self.mistake(Error::invalid(format!("expected a delay of at most 100 years, got {delay:?}")));
        }
        self.change.when = Some(When::After(delay));
        self
    }

    /// Not before an instant; one in the past means at once.
    pub fn at(mut self, instant: impl Into<Timestamp>) -> Self {
        let instant = instant.into();
        if !(EARLIEST..=LATEST).contains(&instant) {
            self.mistake(Error::invalid("expected an instant from the year -4712 to 9999"));
        }
        self.change.when = Some(When::At(instant));
        self
    }

    fn carry(&mut self, task: &str, args: Result<Arguments>) {
        match args {
            Ok(Arguments { codec, payload, limit_keys, .. }) => {
                (self.change.payload, self.change.limit_keys) = (Some((codec, payload)), Some(limit_keys));
            }
            Err(error) => self.mistake(error.about_task(task)),
        }
        self.change.task = Some(task.to_owned());
    }

    fn mistake(&mut self, error: Error) {
        self.mistake.get_or_insert(error);
    }

    pub(super) fn ready(self, max_payload: usize) -> Result<Change> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let size = self.change.payload.as_ref().map_or(0, |(_, payload)| payload.len());
        if size > max_payload {
            let message = format!("expected a payload of at most {max_payload} bytes, got {size}");
            return Err(Error::new(Kind::Payload, message));
        }
        Ok(self.change)
    }
}
