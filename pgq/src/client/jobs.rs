//! Jobs by what they have in common.

use std::time::Duration;

use pgq_core::{Filter, JobId, State};

use super::Client;
use crate::backend::{Cancellation, Deletion, Found, JobInfo, Retrial, Search};
use crate::error::{Error, Result};

/// Jobs that have something in common: to list, to count, or to act on. All conditions must hold; several tasks, queues or
/// states mean any of them.
///
/// Every call reads a bounded number of rows, however few of them are meant, and says how many it read and where to go on.
///
/// ```
/// # use pgq::State;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
/// # let client = pgq::Client::memory();
/// let lost = client.jobs().task("charge").state(State::Discarded).header("tenant", "acme").error("timed out");
/// for job in lost.list().await?.jobs {
///     println!("{} {}", job.id, job.args()?);
/// }
/// println!("{} would run again", lost.clone().dry_run().retry().await?.matched);
/// lost.retry().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "this only says which jobs are meant; `list`, `count`, `cancel`, `retry` and `delete` do something"]
pub struct Jobs<'c> {
    client: &'c Client,
    filter: Filter,
    args: Vec<(String, serde_json::Value)>,
    before: Option<JobId>,
    limit: Option<u64>,
    budget: u64,
    dry: bool,
}

/// A part of a list, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<JobInfo>,
    /// How many rows were read for it.
    pub read: u64,
    /// What [`Jobs::before`] takes for the next page; `None` at the end.
    pub next: Option<JobId>,
}

/// How many jobs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// So many; at least so many, where it isn't exact.
    pub jobs: u64,
    /// Whether all rows were read.
    pub exact: bool,
    /// How many rows were read.
    pub read: u64,
}

/// What became of many jobs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bulk {
    /// How many were meant.
    pub matched: u64,
    /// With how many it is done.
    pub done: u64,
    /// How many run and were asked to end.
    pub asked: u64,
    /// How many stay as they are: they run, have ended meanwhile, or another job has their unique key.
    pub refused: u64,
    /// How many rows were read.
    pub read: u64,
    /// What [`Jobs::before`] takes to go on; `None` where all rows were read.
    pub next: Option<JobId>,
}

/// How many rows the first step of a look reads; each further step reads more.
const FIRST: u32 = 1_000;
/// How many rows one statement reads at most: some tens of milliseconds.
const MOST: u32 = 20_000;
/// How many rows one call reads at most, unless it was told otherwise.
const BUDGET: u64 = 1_000_000;
/// How many jobs one step finds at most.
const STEP: u64 = 1_000;
/// How many jobs a page has, unless it was told otherwise.
const PAGE: u64 = 100;

/// The states that a finished job may have.
const FINAL: [State; 3] = [State::Completed, State::Cancelled, State::Discarded];
/// The states that others may have.
const QUEUED: [State; 4] = [State::Scheduled, State::Available, State::Running, State::Retryable];

impl<'c> Jobs<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        let filter = Filter::default();
        Self { client, filter, args: Vec::new(), before: None, limit: None, budget: BUDGET, dry: false }
    }

    /// Of this task.
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.filter.tasks.push(name.into());
        self
    }

    /// In this queue.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.filter.queues.push(name.into());
        self
    }

    /// In this state.
    pub fn state(mut self, state: State) -> Self {
        self.filter.states.push(state);
        self
    }

    /// Enqueued so long ago or longer.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.filter.older_than = Some(age);
        self
    }

    /// Enqueued less long ago.
    pub fn younger_than(mut self, age: Duration) -> Self {
        self.filter.younger_than = Some(age);
        self
    }

    /// With a header of this value.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filter.headers.insert(name.into(), value.into());
        self
    }

    /// With this tag: a header of this name, whatever its value.
    pub fn tag(mut self, name: impl Into<String>) -> Self {
        self.filter.tags.push(name.into());
        self
    }

    /// Made by a tick of this schedule, or because it was triggered.
    pub fn schedule(mut self, name: impl Into<String>) -> Self {
        self.filter.schedules.push(name.into());
        self
    }

    /// With a failed attempt whose message holds this text, in lower or upper case.
    pub fn error(mut self, text: impl Into<String>) -> Self {
        self.filter.error = Some(text.into());
        self
    }

    /// With this value in its arguments: of a field, or of a field within fields by a JSON pointer (`/customer/id`). The
    /// arguments are read here and not in the database, of each job that the other conditions mean.
    pub fn arg(mut self, field: &str, value: impl Into<serde_json::Value>) -> Self {
        let pointer = if field.starts_with('/') { field.to_owned() } else { format!("/{field}") };
        self.args.push((pointer, value.into()));
        self
    }

    /// Only jobs enqueued before this one: where an earlier page ended.
    pub fn before(mut self, id: impl Into<Option<JobId>>) -> Self {
        self.before = id.into();
        self
    }

    /// How many jobs at most to list, count, cancel, retry or delete. A page has 100 unless said otherwise, and never more
    /// than 1,000; the others take all there are.
    pub fn limit(mut self, jobs: u64) -> Self {
        self.limit = Some(jobs);
        self
    }

    /// How many rows to read at most; 1,000,000 unless said otherwise.
    pub fn reading(mut self, rows: u64) -> Self {
        self.budget = rows;
        self
    }

    /// Cancels, retries or deletes nothing, and says how many it would be.
    pub fn dry_run(mut self) -> Self {
        self.dry = true;
        self
    }

    /// A page of them, the newest first. One that can't be read whole is among them, and says so: [`JobInfo::damage`].
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn list(&self) -> Result<Page> {
        self.check()?;
        let mut look = Look::new(self);
        let mut jobs = Vec::new();
        let most = self.limit.unwrap_or(PAGE).min(STEP);
        while let Some(limit) = look.goes_on(jobs.len() as u64, most) {
            let found = look.step(limit).await?;
            jobs.extend(self.fetch(found).await?);
        }
        Ok(Page { jobs, read: look.read, next: look.next })
    }

    /// How many they are. The count is exact where all rows were read, and says whether they were.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn count(&self) -> Result<Count> {
        self.check()?;
        let mut look = Look::new(self);
        let mut jobs = 0;
        while let Some(limit) = look.goes_on(jobs, self.most()) {
            let found = look.step(limit).await?;
            jobs += self.meant(found).await?.len() as u64;
        }
        Ok(Count { jobs, exact: look.next.is_none(), read: look.read })
    }

    /// Cancels those that aren't finished, in steps: queued ones at once, running ones through their token.
    ///
    /// # Errors
    /// There is no condition, or the database can't be reached; part of them may be cancelled then.
    pub async fn cancel(&self, why: &str) -> Result<Bulk> {
        let act = async |ids| {
            let answers = self.client.cancel_many(ids, why).await?;
            Ok(answers
                .into_iter()
                .map(|(_, answer)| match answer {
                    Cancellation::Done => Done::Yes,
                    Cancellation::Asked => Done::Asked,
                    Cancellation::Finished(_) | Cancellation::Unknown => Done::No,
                })
                .collect())
        };
        self.among(&QUEUED)?.act(act).await
    }

    /// Makes those that are finished available again, in steps.
    ///
    /// # Errors
    /// There is no condition, or the database can't be reached; part of them may be available again then.
    pub async fn retry(&self) -> Result<Bulk> {
        let act = async |ids| {
            let answers = self.client.retry_many(ids).await?;
            Ok(answers.into_iter().map(|(_, answer)| Done::from(answer == Retrial::Done)).collect())
        };
        self.among(&FINAL)?.act(act).await
    }

    /// Deletes those that don't run, in steps, and all that is known of them.
    ///
    /// # Errors
    /// There is no condition, or the database can't be reached; part of them may be deleted then.
    pub async fn delete(&self) -> Result<Bulk> {
        let act = async |ids| {
            let answers = self.client.delete_many(ids).await?;
            Ok(answers.into_iter().map(|(_, answer)| Done::from(answer == Deletion::Done)).collect())
        };
        self.among(&State::ALL)?.act(act).await
    }

    /// Those of them that can be acted on at all. To act on every job there is takes a condition that says so: the states.
    /// That nothing is asked for which no text in a database has.
    fn check(&self) -> Result<()> {
        let Filter { tasks, queues, headers, tags, error, .. } = &self.filter;
        let headers = headers.iter().flat_map(|(name, value)| [name, value]);
        let mut texts = tasks.iter().chain(queues).chain(tags).chain(error).chain(headers);
        match texts.find(|text| text.contains('\0')) {
            Some(text) => Err(Error::invalid(format!("expected a condition without NUL, got one in {text:?}"))),
            None => Ok(()),
        }
    }

    fn among(&self, states: &[State]) -> Result<Self> {
        self.check()?;
        if self.filter.is_everything() && self.args.is_empty() {
            return Err(Error::invalid("expected a condition on the jobs: a task, a queue, a state or another"));
        }
        let mut jobs = self.clone();
        let wanted = |state: &State| self.filter.states.is_empty() || self.filter.states.contains(state);
        jobs.filter.states = states.iter().copied().filter(wanted).collect();
        Ok(jobs)
    }

    async fn act(&self, act: impl AsyncFn(Vec<JobId>) -> Result<Vec<Done>>) -> Result<Bulk> {
        let mut bulk = Bulk::default();
        if self.filter.states.is_empty() {
            return Ok(bulk);
        }
        let mut look = Look::new(self);
        while let Some(limit) = look.goes_on(bulk.matched, self.most()) {
            let found = look.step(limit).await?;
            let meant = self.meant(found).await?;
            bulk.matched += meant.len() as u64;
            if !self.dry && !meant.is_empty() {
                bulk.note(act(meant).await?);
            }
        }
        (bulk.read, bulk.next) = (look.read, look.next);
        Ok(bulk)
    }

    fn most(&self) -> u64 {
        self.limit.unwrap_or(u64::MAX)
    }

    /// Those of what was found whose arguments are meant too.
    async fn meant(&self, found: Vec<JobId>) -> Result<Vec<JobId>> {
        if self.args.is_empty() {
            return Ok(found);
        }
        Ok(self.fetch(found).await?.into_iter().map(|job| job.id).collect())
    }

    async fn fetch(&self, found: Vec<JobId>) -> Result<Vec<JobInfo>> {
        let mut jobs = Vec::new();
        // A payload may have a megabyte, so few are fetched at once.
        for ids in found.chunks(100) {
            let fetched = self.client.inner.backend.get(ids.to_vec()).await?;
            jobs.extend(fetched.into_iter().filter(|job| self.has_args(job)));
        }
        Ok(jobs)
    }

    fn has_args(&self, job: &JobInfo) -> bool {
        self.args.is_empty()
            || job
                .args()
                .is_ok_and(|args| self.args.iter().all(|(pointer, value)| args.pointer(pointer) == Some(value)))
    }
}

/// What became of one of many.
enum Done {
    Yes,
    Asked,
    No,
}

impl From<bool> for Done {
    fn from(done: bool) -> Self {
        if done { Self::Yes } else { Self::No }
    }
}

impl Bulk {
    fn note(&mut self, answers: Vec<Done>) {
        for answer in answers {
            match answer {
                Done::Yes => self.done += 1,
                Done::Asked => self.asked += 1,
                Done::No => self.refused += 1,
            }
        }
    }
}

/// A look that goes on in steps until it has found enough, read enough, or seen everything.
struct Look<'j> {
    jobs: &'j Jobs<'j>,
    next: Option<JobId>,
    read: u64,
    step: u32,
    ended: bool,
}

impl<'j> Look<'j> {
    fn new(jobs: &'j Jobs<'j>) -> Self {
        Self { jobs, next: jobs.before, read: 0, step: FIRST, ended: false }
    }

    /// How many more to find in the next step, where there is one.
    fn goes_on(&self, found: u64, most: u64) -> Option<u32> {
        let left = most.saturating_sub(found).min(STEP);
        let more = left > 0 && !self.ended && self.read < self.jobs.budget;
        more.then_some(u32::try_from(left).unwrap_or(u32::MAX))
    }

    async fn step(&mut self, limit: u32) -> Result<Vec<JobId>> {
        let left = u32::try_from(self.jobs.budget - self.read).unwrap_or(MOST);
        let search = Search { filter: self.jobs.filter.clone(), before: self.next, limit, budget: self.step.min(left) };
        let Found { ids, read, next } = self.jobs.client.inner.backend.find(search).await?;
        self.read += read;
        self.step = self.step.saturating_mul(4).min(MOST);
        (self.next, self.ended) = (next, next.is_none());
        Ok(ids)
    }
}
