//! A schedule that is not created yet.

use std::fmt;

use pgq_core::schedule::{ScheduleError, meant_span};
use pgq_core::{Cadence, Missed, NewJob, Overlap, When, literal};

use super::outgoing::Gate;
use super::{AnyJob, Client, JobBuilder, ScheduleInfo};
use crate::backend::Scheduled;
use crate::error::{Error, Result};
use crate::task::Task;

/// A schedule in the making: [`Client::schedule`] gives one.
#[must_use = "a schedule does nothing until it is created"]
pub struct ScheduleBuilder<'c> {
    client: &'c Client,
    name: String,
    cadence: String,
    zone: String,
    missed: Missed,
    overlap: Overlap,
    job: AnyJob,
}

impl Client {
    /// A schedule that is made at run time, and not declared in code: at each tick it makes a job like this one. When it ticks
    /// is a cron expression, of 5 fields or of 6 with seconds first, a nickname such as `@daily`, or `every` and a span; the
    /// [attribute](macro@crate::schedule) tells more. What its task declares as unique doesn't count for its jobs: how many of
    /// them there are is said by [`overlap`](ScheduleBuilder::overlap).
    ///
    /// ```
    /// # #[pgq::task]
    /// # async fn report(region: String) -> Result<(), pgq::BoxError> { let _ = region; Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// let client = pgq::Client::memory();
    /// let report = report::job("eu".to_owned()).priority(10);
    /// let created = client.schedule("report-eu", "30 2 * * *", report).zone("Europe/Berlin").create().await?;
    /// for tick in created.next(3) {
    ///     println!("ticks at {tick}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn schedule<T: Task>(
        &self,
        name: impl Into<String>,
        cadence: impl Into<String>,
        job: JobBuilder<T>,
    ) -> ScheduleBuilder<'_> {
        ScheduleBuilder {
            client: self,
            name: name.into(),
            cadence: cadence.into(),
            zone: "UTC".to_owned(),
            missed: Missed::default(),
            overlap: Overlap::default(),
            job: job.without_declared_key().into(),
        }
    }
}

impl ScheduleBuilder<'_> {
    /// Whose clocks the expression is about, by IANA name; `UTC` unless said otherwise.
    pub fn zone(mut self, name: impl Into<String>) -> Self {
        self.zone = name.into();
        self
    }

    /// What becomes of ticks that no worker was there for; one job for all of them unless said otherwise.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// What becomes of a tick while the job of an earlier one isn't finished; it makes none unless said otherwise.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Creates it, or changes the one of this name that was created before: a new expression or zone ticks from now on, all
    /// else leaves it where it stands. A paused one stays paused. Workers make its jobs until it is
    /// [deleted](Client::delete_schedule), whatever they declare themselves. The answer is how it stands then.
    ///
    /// # Errors
    /// The name, the expression, the zone or the job isn't valid; the job has something that is of one job only, such as a unique
    /// key, a delay or headers; workers declare a schedule of this name; or the database can't be reached.
    pub async fn create(self) -> Result<ScheduleInfo> {
        let name = self.name.clone();
        self.put().await.map_err(|error| error.about_schedule(&name))
    }

    async fn put(self) -> Result<ScheduleInfo> {
        let (client, name) = (self.client, self.name.clone());
        if !client.backend().create_schedule(self.scheduled()?).await? {
            return Err(Error::invalid("a worker declares this one: choose another name, or change its code"));
        }
        client.find_schedule(&name).await?.ok_or_else(|| Error::invalid("somebody has deleted it just now"))
    }

    fn scheduled(self) -> Result<Scheduled> {
        let Self { client, name, cadence, zone, missed, overlap, job } = self;
        literal::name(&name).map_err(|error| Error::invalid(error.to_string()))?;
        let cadence = normal(&cadence);
        Cadence::read(&cadence, &zone).map_err(|error| unreadable(&cadence, error))?;
        check_missed(missed, overlap)?;
        // No job is sent yet, so nobody looks at it.
        let job = job.ready(&Gate::new(client.max_payload()))?;
        check(&job)?;
        Ok(Scheduled {
            name,
            task: job.task.into_owned(),
            queue: job.queue.into_owned(),
            priority: job.priority,
            max_attempts: job.max_attempts,
            expires_in: job.expires_in,
            cadence,
            zone,
            missed,
            overlap,
            payload: job.payload,
            limit_keys: job.limit_keys,
        })
    }
}

/// As it is kept and shown: with single spaces, and `every` in small letters.
fn normal(cadence: &str) -> String {
    let text = cadence.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.split_once(' ') {
        Some((every, span)) if every.eq_ignore_ascii_case("every") => format!("every {span}"),
        _ => text,
    }
}

fn unreadable(cadence: &str, error: ScheduleError) -> Error {
    let span = meant_span(cadence).filter(|_| !cadence.starts_with("every "));
    let hint = span.map(|span| format!(": write `every {span}`")).unwrap_or_default();
    Error::invalid(format!("{error}{hint}")).because(error)
}

/// What the attribute refuses too.
fn check_missed(missed: Missed, overlap: Overlap) -> Result<()> {
    if Missed::read(&missed.to_string()).is_none() {
        return Err(Error::invalid(format!("expected to make up for 1 to 1000 missed ticks, got {missed}")));
    }
    if matches!(missed, Missed::All(_)) && overlap != Overlap::Allow {
        return Err(Error::invalid(format!("`{missed}` makes several jobs at once: add `.overlap(Overlap::Allow)`")));
    }
    Ok(())
}

/// What a schedule can't hand on to its jobs is refused.
fn check(job: &NewJob) -> Result<()> {
    let extra = [
        ("unique key", job.unique.is_some()),
        ("time of its own", job.when != When::Now),
        ("timeout of its own", job.timeout.is_some()),
        ("header", !job.headers.is_empty()),
    ];
    match extra.into_iter().find(|(_, given)| *given) {
        Some((what, _)) => Err(Error::invalid(format!("expected a job without a {what}: a schedule's jobs have none"))
            .about_task(&job.task)),
        None => Ok(()),
    }
}

impl fmt::Debug for ScheduleBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cadence, .. } = self;
        f.debug_struct("ScheduleBuilder").field("name", name).field("cadence", cadence).finish_non_exhaustive()
    }
}
