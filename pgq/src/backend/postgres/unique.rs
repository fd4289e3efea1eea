//! Unique jobs: exact by an index, and without an error of the database's, which would spoil the caller's transaction.
//!
//! What conflicts is left out by the insert and looked at afterwards, each by itself and without waiting for a lock. An upsert
//! would lock a running job until the caller's transaction ends, and its finish would hang behind that.

use std::collections::HashMap;
use std::time::Duration;

use pgq_core::{JobId, NewJob, OnConflict, Placement};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::convert::{Instant, column, database, job_id, micros};
use super::enqueue::{Columns, when};
use super::extra::Extra;
use super::namespace::Statements;
use super::wake::Call;
use crate::backend::Enqueued;
use crate::error::{Error, Kind, Result};
use crate::platform::{Clock, pause};

/// How often to try for a key that is taken whenever we insert and free whenever we look.
const TRIES: u32 = 20;
/// How long to leave a row alone that somebody has locked.
const PAUSE: Duration = Duration::from_millis(5);

type Placed = (usize, NewJob);

/// Enqueues jobs with unique keys; what became of each, by its place.
pub(super) async fn insert(
    connection: &mut PgConnection,
    statements: &Statements,
    clock: &Clock,
    mut jobs: Vec<Placed>,
    call: &Call,
) -> Result<Vec<(usize, Enqueued)>> {
    let mut session = Session { connection, statements, clock, call };
    let mut outcomes = Vec::with_capacity(jobs.len());
    for _ in 0..TRIES {
        jobs.sort_by(|(a_place, a), (b_place, b)| (&a.task, key(a), a_place).cmp(&(&b.task, key(b), b_place)));
        let mut again = Vec::new();
        for (place, job) in session.insert_new(jobs, &mut outcomes).await? {
            match session.resolve(&job).await? {
                Some(enqueued) => outcomes.push((place, enqueued)),
                None => again.push((place, job)),
            }
        }
        if again.is_empty() {
            return Ok(outcomes);
        }
        jobs = again;
        pause(PAUSE).await;
    }
    Err(Error::new(Kind::Overtaxed, "a job's unique key is taken and freed by others all the time: try again"))
}

fn key(job: &NewJob) -> &str {
    job.unique.as_ref().map_or("", |unique| &unique.key)
}

struct Session<'s> {
    connection: &'s mut PgConnection,
    statements: &'s Statements,
    clock: &'s Clock,
    call: &'s Call,
}

impl Session<'_> {
    fn now(&self) -> Option<Instant> {
        self.clock.fixed().map(Instant)
    }

    /// Inserts those whose keys are free, and gives back the others. Of several with one key the first is inserted.
    async fn insert_new(&mut self, jobs: Vec<Placed>, outcomes: &mut Vec<(usize, Enqueued)>) -> Result<Vec<Placed>> {
        let keys: Vec<String> = jobs.iter().map(|(_, job)| key(job).to_owned()).collect();
        let columns = Columns::of(jobs.iter().map(|(_, job)| job.clone()).collect());
        let query = columns.bind(&self.statements.enqueue_unique, self.clock, self.call).bind(keys);
        let mut inserted: HashMap<(String, String), JobId> = HashMap::new();
        for row in query.fetch_all(&mut *self.connection).await.map_err(database)? {
            inserted.insert((column(&row, 1)?, column(&row, 2)?), job_id(&row)?);
        }
        let mut conflicts = Vec::new();
        for (place, job) in jobs {
            match inserted.remove(&(job.task.clone().into_owned(), key(&job).to_owned())) {
                Some(id) => outcomes.push((place, Enqueued { id, placement: Placement::New })),
                None => conflicts.push((place, job)),
            }
        }
        Ok(conflicts)
    }

    /// What becomes of a job whose key was taken a moment ago; `None` to insert it again.
    async fn resolve(&mut self, job: &NewJob) -> Result<Option<Enqueued>> {
        let Some(unique) = &job.unique else { return Ok(None) };
        let query = self.statements.holder.query().bind(&*job.task).bind(&*unique.key).bind(self.now());
        let Some(holder) = query.fetch_optional(&mut *self.connection).await.map_err(database)? else {
            return Ok(None);
        };
        let id = job_id(&holder)?;
        let (running, ended, over): (bool, bool, bool) =
            (column(&holder, 1)?, column(&holder, 2)?, column(&holder, 3)?);
        if over {
            let query = self.statements.clear_key.query().bind(id.0).bind(self.now());
            query.execute(&mut *self.connection).await.map_err(database)?;
            return Ok(None);
        }
        let placement = match unique.on_conflict {
            OnConflict::Skip => Placement::Existing,
            OnConflict::Replace if !running && !ended => return self.replace(id, job).await,
            OnConflict::RaisePriority if !running && !ended => return self.raise(id, job).await,
            OnConflict::RaisePriority => Placement::Existing,
            _ => Placement::Rejected { running },
        };
        Ok(Some(Enqueued { id, placement }))
    }

    async fn replace(&mut self, id: JobId, job: &NewJob) -> Result<Option<Enqueued>> {
        let (instant, delay) = when(job.when);
        let query = self.statements.replace.query().bind(id.0).bind(job.priority.rank()).bind(instant).bind(delay);
        let headers = (!job.headers.is_empty()).then(|| Json(job.headers.clone()));
        let query = query.bind(headers).bind(job.payload.clone()).bind(self.now());
        let query = query.bind(job.expires_in.map(micros)).bind(Extra::of(job).map(Json));
        let query =
            query.bind(i16::try_from(job.max_attempts).unwrap_or(i16::MAX)).bind(job.queue.clone().into_owned());
        let done = query.bind(job.codec.number()).execute(&mut *self.connection).await.map_err(database)?;
        Ok((done.rows_affected() == 1).then_some(Enqueued { id, placement: Placement::Replaced }))
    }

    async fn raise(&mut self, id: JobId, job: &NewJob) -> Result<Option<Enqueued>> {
        let query = self.statements.raise.query().bind(id.0).bind(job.priority.rank());
        let done = query.execute(&mut *self.connection).await.map_err(database)?;
        Ok((done.rows_affected() == 1).then_some(Enqueued { id, placement: Placement::Raised }))
    }
}
