//! The operator's side: schedules.

use pgq_core::schedule::upcoming;
use pgq_core::suggest::nearest;
use pgq_core::{Cadence, Codec, Missed, Overlap, Priority, Tick, Timestamp};

use super::Client;
use super::operate::check_reason;
use crate::JobId;
use crate::backend::{Kept, Ticked};
use crate::error::{Error, Result};
use crate::task::to_json;

/// A schedule as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// Its name: that of its task, where code declares it.
    pub name: String,
    /// The task of its jobs.
    pub task: String,
    /// The lane of its jobs.
    pub queue: String,
    /// The priority of its jobs.
    pub priority: Priority,
    /// When it ticks: a cron expression, or `every` and a span.
    pub cadence: String,
    /// The IANA name of its time zone.
    pub zone: String,
    /// What becomes of ticks that were missed.
    pub missed: Missed,
    /// What becomes of a tick while an earlier job isn't finished.
    pub overlap: Overlap,
    /// Whether it was created at run time, and not declared by workers.
    pub created: bool,
    /// Why it makes no jobs until it is resumed, in the words of who paused it.
    pub paused: Option<String>,
    /// Whether workers declared it, and none that lives does: it goes on to make jobs until it is deleted.
    pub orphaned: bool,
    /// The last tick of which a job was made.
    pub last: Option<Timestamp>,
    /// The last job of it: of that tick, or one that was [triggered](Client::trigger_schedule) since.
    pub job: Option<JobId>,
    /// Whether that job isn't finished: it waits, runs, or is to be retried.
    pub busy: bool,
    /// The encoded arguments of its jobs, as MessagePack.
    pub payload: Vec<u8>,
    standing: Timestamp,
    now: Timestamp,
}

impl ScheduleInfo {
    fn new(kept: Kept, now: Timestamp) -> Self {
        let orphaned = kept.is_orphaned();
        let (scheduled, standing) = (kept.scheduled, kept.standing);
        Self {
            name: scheduled.name,
            task: scheduled.task,
            queue: scheduled.queue,
            priority: scheduled.priority,
            cadence: scheduled.cadence,
            zone: scheduled.zone,
            missed: scheduled.missed,
            overlap: scheduled.overlap,
            created: kept.created,
            paused: kept.paused,
            orphaned,
            last: kept.fired,
            job: kept.job,
            busy: standing.busy,
            payload: scheduled.payload,
            standing: standing.last,
            now,
        }
    }

    /// Its next ticks, up to `n`, as of when it was looked up. A paused one has none, and neither has one that this version
    /// can't read.
    #[must_use]
    pub fn next(&self, n: usize) -> Vec<Timestamp> {
        let cadence = Cadence::read(&self.cadence, &self.zone).ok().filter(|_| self.paused.is_none());
        cadence.iter().flat_map(|cadence| upcoming(cadence, self.standing, self.now)).take(n).collect()
    }

    /// The arguments of its jobs, as JSON.
    ///
    /// # Errors
    /// They can't be read: a newer version wrote them, or they were damaged.
    pub fn args(&self) -> Result<serde_json::Value> {
        to_json(Codec::MessagePack.number(), &self.payload).map_err(|error| error.about_task(&self.task))
    }
}

impl Client {
    /// All schedules, by name: those that workers have declared, and those that were created.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn schedules(&self) -> Result<Vec<ScheduleInfo>> {
        let agenda = self.inner.backend.schedules().await?;
        Ok(agenda.schedules.into_iter().map(|kept| ScheduleInfo::new(kept, agenda.now)).collect())
    }

    /// The schedule of a name, if there is one.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn find_schedule(&self, name: &str) -> Result<Option<ScheduleInfo>> {
        Ok(self.schedules().await?.into_iter().find(|schedule| schedule.name == name))
    }

    /// From now on the schedule makes no jobs, until it is [resumed](Client::resume_schedule); those that it made stay, and it
    /// can be [triggered](Client::trigger_schedule). Paused again, it takes the new reason; whether it wasn't paused for this one
    /// already. A worker that starts doesn't change that.
    ///
    /// # Errors
    /// The reason is longer than 1,000 characters or has a NUL in it, there is no such schedule, or the database can't be reached.
    pub async fn pause_schedule(&self, name: &str, reason: &str) -> Result<bool> {
        check_reason(reason).map_err(|error| error.about_schedule(name))?;
        self.kept(name).await?;
        self.inner.backend.hold_schedule(name.to_owned(), Some(reason.to_owned())).await
    }

    /// The schedule goes on with its ticks from now: those while it was paused weren't missed. Whether it was paused.
    ///
    /// # Errors
    /// There is no such schedule, or the database can't be reached.
    pub async fn resume_schedule(&self, name: &str) -> Result<bool> {
        self.kept(name).await?;
        self.inner.backend.hold_schedule(name.to_owned(), None).await
    }

    /// Makes a job of the schedule now, also where it is paused or an earlier job isn't finished. The schedule stays where it
    /// stands: its next tick comes at its time. Where ticks don't overlap, they heed this job as one of their own, unless an earlier
    /// one isn't finished, which they heed then. The job's tick is now, and the one before it the schedule's last.
    ///
    /// # Errors
    /// There is no such schedule, the client's `on_enqueue` refused the job, or the database can't be reached.
    pub async fn trigger_schedule(&self, name: &str) -> Result<JobId> {
        let (kept, now) = self.kept(name).await?;
        let tick = Tick { schedule: name.to_owned(), at: now, previous: kept.fired };
        let mut job = kept.scheduled.job(tick.clone());
        self.admit(&mut job)?;
        let ticked = Ticked { tick, headers: job.headers };
        let made = self.inner.backend.trigger_schedule(name.to_owned(), ticked).await?;
        // It may have been deleted just now.
        made.ok_or_else(|| unknown(name, &[]))
    }

    /// Deletes the schedule; jobs that it made stay. One that workers declare comes back when a worker starts that declares it:
    /// take it out of the code, or [pause](Client::pause_schedule) it.
    ///
    /// # Errors
    /// There is no such schedule, or the database can't be reached.
    pub async fn delete_schedule(&self, name: &str) -> Result<()> {
        self.kept(name).await?;
        self.inner.backend.delete_schedule(name.to_owned()).await.map(drop)
    }

    /// The schedule of a name, and the time.
    async fn kept(&self, name: &str) -> Result<(Kept, Timestamp)> {
        let agenda = self.inner.backend.schedules().await?;
        match agenda.schedules.iter().position(|kept| kept.scheduled.name == name) {
            Some(at) => Ok((agenda.schedules[at].clone(), agenda.now)),
            None => Err(unknown(name, &agenda.schedules)),
        }
    }
}

fn unknown(name: &str, kept: &[Kept]) -> Error {
    let known: Vec<&str> = kept.iter().map(|kept| kept.scheduled.name.as_str()).collect();
    Error::invalid(match nearest(name, &known) {
        Some(meant) => format!("there is no schedule `{name}`: did you mean `{meant}`?"),
        None => format!("there is no schedule `{name}`: `Client::schedules` lists those that there are"),
    })
}
