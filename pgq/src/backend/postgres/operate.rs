//! The operator's verbs.

use std::collections::HashMap;
use std::time::Duration;

use pgq_core::{Failure, FailureKind, JobId, Priority, State};
use sqlx::PgPool;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use super::convert::{Instant, column, database, instant, job_id, unsigned};
use super::namespace::Statements;
use super::session::read_headers;
use super::wake::{Call, wake};
use super::{Postgres, migrate};
use crate::backend::{Answer, Cancellation, FailedAttempt, JobInfo, Migrated, Operate, Retrial};
use crate::error::{Error, Kind, Result};
use crate::platform::{Clock, pause};

impl Operate for Postgres {
    fn migrate(&self) -> Answer<'_, Migrated> {
        Box::pin(migrate::migrate(self))
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(migrate::check(self))
    }

    fn describe(&self) -> Answer<'_, String> {
        Box::pin(async move {
            let query = sqlx::query("select current_setting('server_version')");
            let row = query.fetch_one(&self.pool).await.map_err(database)?;
            // Distributions add a word of their own to the number.
            let version = column::<&str, _>(&row, 0)?.split_whitespace().next().unwrap_or_default().to_owned();
            Ok(format!("PostgreSQL {version}, {}", self.statements.namespace))
        })
    }

    fn cancel(&self, ids: Vec<JobId>, why: String) -> Answer<'_, Vec<Cancellation>> {
        Box::pin(cancel(&self.pool, &self.statements, &self.clock, ids, why))
    }

    fn retry(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Retrial>> {
        Box::pin(self.retry_all(ids))
    }

    fn get(&self, id: JobId) -> Answer<'_, Option<JobInfo>> {
        Box::pin(self.look_up(id))
    }
}

impl Postgres {
    /// Retries in steps, each whole by itself.
    async fn retry_all(&self, ids: Vec<JobId>) -> Result<Vec<Retrial>> {
        let mut answers = HashMap::new();
        for step in ids.chunks(STEP) {
            let call = self.retry_step(step, &mut answers).await?;
            let mut connection = self.pool.acquire().await.map_err(database)?;
            wake(&mut connection, &self.statements, &self.clock, &call).await?;
        }
        Ok(ids.iter().map(|id| answers.get(id).copied().unwrap_or(Retrial::Unknown)).collect())
    }

    async fn retry_step(&self, ids: &[JobId], answers: &mut HashMap<JobId, Retrial>) -> Result<Call> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let mut transaction = self.pool.begin().await.map_err(database)?;
        let query = self.statements.free_keys.query().bind(&ids);
        query.execute(&mut *transaction).await.map_err(database)?;
        let query = self.statements.retry.query().bind(&ids).bind(self.clock.fixed().map(Instant));
        let rows = query.fetch_all(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        let mut call = Call::nobody();
        for row in &rows {
            let (done, finished, queued): (bool, bool, bool) = (column(row, 3)?, column(row, 4)?, column(row, 5)?);
            if done {
                call.add(column(row, 1)?, column(row, 2)?, 1);
            }
            let answer = match (done, queued, finished) {
                (true, ..) => Retrial::Done,
                (_, true, _) => Retrial::Queued,
                (.., true) => Retrial::Duplicate,
                _ => Retrial::Unknown,
            };
            answers.insert(job_id(row)?, answer);
        }
        Ok(call)
    }

    async fn look_up(&self, id: JobId) -> Result<Option<JobInfo>> {
        let query = self.statements.get.query().bind(id.0).bind(self.clock.fixed().map(Instant));
        let Some(row) = query.fetch_optional(&self.pool).await.map_err(database)? else { return Ok(None) };
        let query = self.statements.failures.query().bind(id.0);
        let failures = query.fetch_all(&self.pool).await.map_err(database)?;
        let failures = failures.iter().map(read_failure).collect::<Result<_>>()?;
        read_job(id, &row, failures).map(Some)
    }
}

/// So many jobs are cancelled by one statement.
const STEP: usize = 1_000;
/// How often to look again at rows that somebody had locked.
const TRIES: u32 = 100;

/// Cancels in steps, each whole by itself.
pub(super) async fn cancel(
    pool: &PgPool,
    statements: &Statements,
    clock: &Clock,
    ids: Vec<JobId>,
    why: String,
) -> Result<Vec<Cancellation>> {
    let why = Failure::new(FailureKind::Cancelled, &why);
    let (mut answers, mut left, mut tries) = (HashMap::new(), ids.clone(), 0);
    while !left.is_empty() && tries < TRIES {
        let mut busy = Vec::new();
        for step in left.chunks(STEP) {
            let query = statements.cancel.query().bind(step.iter().map(|id| id.0).collect::<Vec<_>>());
            let query = query.bind(why.message()).bind(clock.fixed().map(Instant));
            for row in query.fetch_all(pool).await.map_err(database)? {
                match read_cancellation(&row)? {
                    (id, Some(answer)) => drop(answers.insert(id, answer)),
                    (id, None) => busy.push(id),
                }
            }
        }
        if !busy.is_empty() {
            pause(Duration::from_millis(5)).await;
        }
        (left, tries) = (busy, tries + 1);
    }
    if !left.is_empty() {
        let message = format!("{} jobs stay locked by somebody else: try again", left.len());
        return Err(Error::new(Kind::Database, message));
    }
    Ok(ids.iter().map(|id| answers.get(id).copied().unwrap_or(Cancellation::Unknown)).collect())
}

/// The id, and what came of it unless somebody has the row locked.
fn read_cancellation(row: &PgRow) -> Result<(JobId, Option<Cancellation>)> {
    let (cancelled, told, busy): (bool, bool, bool) = (column(row, 1)?, column(row, 2)?, column(row, 3)?);
    let answer = if cancelled {
        Cancellation::Done
    } else if told {
        Cancellation::Asked
    } else if busy {
        return Ok((job_id(row)?, None));
    } else {
        column::<Option<i16>, _>(row, 4)?
            .map_or(Cancellation::Unknown, |state| Cancellation::Finished(read_state(state)))
    };
    Ok((job_id(row)?, Some(answer)))
}

/// A state by its place in their order.
fn read_state(number: i16) -> State {
    State::ALL.get(unsigned::<_, usize>(number)).copied().unwrap_or(State::Discarded)
}

fn read_job(id: JobId, row: &PgRow, failures: Vec<FailedAttempt>) -> Result<JobInfo> {
    Ok(JobInfo {
        id,
        task: column(row, 0)?,
        queue: column(row, 1)?,
        state: read_state(column(row, 2)?),
        priority: Priority::from_rank(column(row, 3)?),
        attempt: unsigned(column::<i16, _>(row, 4)?),
        max_attempts: unsigned(column::<i16, _>(row, 5)?),
        epoch: unsigned(column::<i32, _>(row, 6)?),
        crashes: unsigned(column::<i16, _>(row, 7)?),
        created: instant(row, 8)?,
        run_at: instant(row, 9)?,
        finished: column::<Option<Instant>, _>(row, 10)?.map(|instant| instant.0),
        headers: read_headers(row, 11)?,
        failures,
    })
}

fn read_failure(row: &PgRow) -> Result<FailedAttempt> {
    Ok(FailedAttempt {
        attempt: unsigned(column::<i16, _>(row, 0)?),
        epoch: unsigned(column::<i32, _>(row, 1)?),
        kind: FailureKind::from_word(column(row, 2)?).unwrap_or(FailureKind::Error),
        message: column(row, 3)?,
        chain: column::<Json<Vec<String>>, _>(row, 4)?.0,
        worker: column(row, 5)?,
        started: column::<Option<Instant>, _>(row, 6)?.map(|instant| instant.0),
        ended: instant(row, 7)?,
    })
}
