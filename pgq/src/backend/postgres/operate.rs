//! The operator's verbs.

use pgq_core::{FailureKind, JobId, Priority, State};
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use super::convert::{Instant, column, database, instant, unsigned};
use super::session::read_headers;
use super::{Postgres, migrate};
use crate::Result;
use crate::backend::{Answer, FailedAttempt, JobInfo, Migrated, Operate};

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

    fn get(&self, id: JobId) -> Answer<'_, Option<JobInfo>> {
        Box::pin(self.look_up(id))
    }
}

impl Postgres {
    async fn look_up(&self, id: JobId) -> Result<Option<JobInfo>> {
        let query = self.statements.get.query().bind(id.0).bind(self.clock.fixed().map(Instant));
        let Some(row) = query.fetch_optional(&self.pool).await.map_err(database)? else { return Ok(None) };
        let query = self.statements.failures.query().bind(id.0);
        let failures = query.fetch_all(&self.pool).await.map_err(database)?;
        let failures = failures.iter().map(read_failure).collect::<Result<_>>()?;
        read_job(id, &row, failures).map(Some)
    }
}

fn read_job(id: JobId, row: &PgRow, failures: Vec<FailedAttempt>) -> Result<JobInfo> {
    let state: usize = unsigned(column::<i16, _>(row, 2)?);
    Ok(JobInfo {
        id,
        task: column(row, 0)?,
        queue: column(row, 1)?,
        state: State::ALL.get(state).copied().unwrap_or(State::Discarded),
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
        at: instant(row, 5)?,
    })
}
