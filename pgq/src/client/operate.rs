//! The operator's side: single jobs, and what is claimed at all.

use std::time::Duration;

use pgq_core::literal;

use super::{Client, Edit, Jobs};
use crate::JobId;
use crate::backend::{Cancellation, Deletion, Edited, JobInfo, Pausable, Pause, Retrial};
use crate::error::{Error, Result};

impl Client {
    /// Cancels a job: a queued one at once, a running one through its token, within about a second wherever it runs; `why` is kept
    /// with the job.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn cancel(&self, id: JobId, why: &str) -> Result<Cancellation> {
        let answers = self.cancel_many([id], why).await.map_err(|error| error.about_job(id))?;
        Ok(answers.first().map_or(Cancellation::Unknown, |answer| answer.1))
    }

    /// Cancels jobs as [`Client::cancel`] does; says what came of each, in order.
    ///
    /// # Errors
    /// The database can't be reached; part of them may be cancelled then.
    pub async fn cancel_many(
        &self,
        ids: impl IntoIterator<Item = JobId>,
        why: &str,
    ) -> Result<Vec<(JobId, Cancellation)>> {
        let ids: Vec<JobId> = ids.into_iter().collect();
        let answers = self.inner.backend.cancel(ids.clone(), why.to_owned()).await?;
        Ok(ids.into_iter().zip(answers).collect())
    }

    /// Makes a finished job available again, whether it was completed, cancelled or discarded. Its attempts go on counting,
    /// and as many as it had at first are granted anew.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn retry(&self, id: JobId) -> Result<Retrial> {
        let answers = self.retry_many([id]).await.map_err(|error| error.about_job(id))?;
        Ok(answers.first().map_or(Retrial::Unknown, |answer| answer.1))
    }

    /// Retries jobs as [`Client::retry`] does; says what came of each, in order.
    ///
    /// # Errors
    /// The database can't be reached; part of them may be available again then.
    pub async fn retry_many(&self, ids: impl IntoIterator<Item = JobId>) -> Result<Vec<(JobId, Retrial)>> {
        let ids: Vec<JobId> = ids.into_iter().collect();
        let answers = self.inner.backend.retry(ids.clone()).await?;
        Ok(ids.into_iter().zip(answers).collect())
    }

    /// A job as it stands now, queued or finished; `None` once it is no longer kept. One that can't be read whole says so:
    /// [`JobInfo::damage`].
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn get(&self, id: JobId) -> Result<Option<JobInfo>> {
        let jobs = self.inner.backend.get(vec![id]).await.map_err(|error| error.about_job(id))?;
        Ok(jobs.into_iter().next())
    }

    /// Jobs by what they have in common: to list, to count, and to cancel, retry or delete together.
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs::new(self)
    }

    /// Changes a queued job: when it runs, its priority, its arguments. One that runs or is finished stays as it is, and
    /// the answer says so.
    ///
    /// # Errors
    /// The change has a mistake in it, or the database can't be reached.
    pub async fn edit(&self, id: JobId, edit: Edit) -> Result<Edited> {
        let change = edit.ready(self.max_payload()).map_err(|error| error.about_job(id))?;
        self.inner.backend.edit(id, change).await.map_err(|error| error.about_job(id))
    }

    /// Deletes a job, queued or finished, and all that is known of it. One that runs stays: cancel it first.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn delete(&self, id: JobId) -> Result<Deletion> {
        let answers = self.delete_many([id]).await.map_err(|error| error.about_job(id))?;
        Ok(answers.first().map_or(Deletion::Unknown, |answer| answer.1))
    }

    /// Deletes jobs as [`Client::delete`] does; says what came of each, in order.
    ///
    /// # Errors
    /// The database can't be reached; part of them may be deleted then.
    pub async fn delete_many(&self, ids: impl IntoIterator<Item = JobId>) -> Result<Vec<(JobId, Deletion)>> {
        let ids: Vec<JobId> = ids.into_iter().collect();
        let answers = self.inner.backend.delete(ids.clone()).await?;
        Ok(ids.into_iter().zip(answers).collect())
    }

    /// From now on no worker claims anything of this queue or task, for `span` or, with `None`, until it is
    /// [resumed](Client::resume). What runs goes on, and what waits stays where it is. Paused again, it takes the new
    /// reason and end.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pgq::Pausable;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// # let client = pgq::Client::memory();
    /// let mail = Pausable::Queue("mail".to_owned());
    /// client.pause(mail.clone(), "the provider is down", Some(Duration::from_secs(3600))).await?;
    /// assert_eq!(client.pauses().await?[0].reason, "the provider is down");
    /// client.resume(mail).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The reason is longer than 1,000 characters or has a NUL in it, no queue or task can have that name, the span is zero, or
    /// the database can't be reached. That nobody has declared such a task is no error: its worker may come later.
    pub async fn pause(&self, what: Pausable, reason: &str, span: Option<Duration>) -> Result<()> {
        check_reason(reason)?;
        let (Pausable::Queue(name) | Pausable::Task(name)) = &what;
        literal::name(name).map_err(|error| Error::invalid(format!("what is to be paused: {error}")))?;
        if span.is_some_and(|span| span.is_zero()) {
            return Err(Error::invalid("expected a pause of more than zero: `None` is until it is resumed"));
        }
        self.inner.backend.pause(what, reason.to_owned(), span).await
    }

    /// Undoes a pause, and wakes the workers that sleep; whether there was one.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn resume(&self, what: Pausable) -> Result<bool> {
        self.inner.backend.resume(what).await
    }

    /// What is paused.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn pauses(&self) -> Result<Vec<Pause>> {
        self.inner.backend.pauses().await
    }
}

/// The most characters of a reason.
const MAX_REASON: usize = 1_000;

pub(super) fn check_reason(reason: &str) -> Result<()> {
    if reason.contains('\0') || reason.chars().count() > MAX_REASON {
        return Err(Error::invalid(format!("expected a reason of at most {MAX_REASON} characters without NUL")));
    }
    Ok(())
}
