//! Looking for jobs, and at them.

use std::collections::HashMap;

use pgq_core::{FailureKind, Filter, Headers, JobId, Priority, State};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use super::Postgres;
use super::convert::{Instant, column, database, instant, job_id, micros, unsigned};
use super::damage::Damage;
use super::extra::Extra;
use super::session::read_headers;
use crate::Result;
use crate::backend::{FailedAttempt, Found, JobInfo, Progress, Search, Steps};

impl Postgres {
    pub(super) async fn search(&self, search: Search) -> Result<Found> {
        let Search { filter, before, limit, budget } = search;
        let mut transaction = self.link.begin().await?;
        plan_for_the_newest(&mut transaction).await?;
        let query = self.statements.find.query().bind(before.map_or(i64::MAX, |id| id.0)).bind(i64::from(budget));
        let query = query.bind(i64::from(limit)).bind(some(filter.tasks.clone())).bind(some(filter.queues.clone()));
        let query = query.bind(states(&filter)).bind(filter.older_than.map(micros));
        let query = query.bind(filter.younger_than.map(micros)).bind(headers(&filter)).bind(some(filter.tags));
        let query = query.bind(filter.error).bind(self.now()).bind(some(filter.schedules));
        let rows = query.fetch_all(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        read_found(&rows)
    }

    pub(super) async fn look_up(&self, ids: Vec<JobId>) -> Result<Vec<JobInfo>> {
        let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let query = self.statements.get.query().bind(&numbers).bind(self.now());
        let rows = self.link.rows(query).await?;
        let mut failed: HashMap<JobId, (Vec<FailedAttempt>, Damage)> = HashMap::new();
        for row in self.link.rows(self.statements.failures.query().bind(&numbers)).await? {
            let (failures, damage) = failed.entry(job_id(&row)?).or_default();
            failures.push(read_failure(&row, damage)?);
        }
        let mut jobs = HashMap::new();
        for row in &rows {
            let id = job_id(row)?;
            jobs.insert(id, read_job(id, row, failed.remove(&id).unwrap_or_default())?);
        }
        Ok(ids.iter().filter_map(|id| jobs.remove(id)).collect())
    }

    pub(super) fn now(&self) -> Option<Instant> {
        self.clock.fixed().map(Instant)
    }
}

/// Walks the indexes from their newest end, whatever the tables looked like when they were analysed last.
async fn plan_for_the_newest(connection: &mut PgConnection) -> Result<()> {
    const SETTINGS: &str = "set local plan_cache_mode = force_custom_plan; set local enable_seqscan = off; \
                            set local enable_bitmapscan = off";
    sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop).map_err(database)
}

fn some(names: Vec<String>) -> Option<Vec<String>> {
    (!names.is_empty()).then_some(names)
}

fn headers(filter: &Filter) -> Option<Json<Headers>> {
    (!filter.headers.is_empty()).then(|| Json(filter.headers.clone()))
}

fn states(filter: &Filter) -> Option<Vec<i16>> {
    let place = |state: &State| State::ALL.iter().position(|other| other == state).and_then(|at| at.try_into().ok());
    (!filter.states.is_empty()).then(|| filter.states.iter().filter_map(place).collect())
}

fn read_found(rows: &[PgRow]) -> Result<Found> {
    let mut found = Found::default();
    for row in rows {
        if let Some(id) = column::<Option<i64>, _>(row, 0)? {
            found.ids.push(JobId(id));
        } else {
            found.read = unsigned(column::<i64, _>(row, 1)?);
            found.next = column::<Option<i64>, _>(row, 2)?.map(JobId);
        }
    }
    Ok(found)
}

/// A state by its place in their order.
pub(super) fn read_state(number: i16) -> State {
    State::ALL.get(unsigned::<_, usize>(number)).copied().unwrap_or(State::Discarded)
}

/// What can't be read of it is left out, and told.
fn read_job(id: JobId, row: &PgRow, (failures, mut damage): (Vec<FailedAttempt>, Damage)) -> Result<JobInfo> {
    let headers = damage.spare("headers", read_headers(row, 12));
    let extra = damage.spare("extra", column::<Option<Json<Extra>>, _>(row, 15));
    Ok(JobInfo {
        id,
        task: column(row, 1)?,
        queue: column(row, 2)?,
        state: read_state(column(row, 3)?),
        priority: Priority::from_rank(column(row, 4)?),
        attempt: unsigned(column::<i16, _>(row, 5)?),
        max_attempts: unsigned(column::<i16, _>(row, 6)?),
        epoch: unsigned(column::<i32, _>(row, 7)?),
        crashes: unsigned(column::<i16, _>(row, 8)?),
        created: instant(row, 9)?,
        run_at: instant(row, 10)?,
        finished: column::<Option<Instant>, _>(row, 11)?.map(|instant| instant.0),
        headers,
        codec: column(row, 13)?,
        payload: column(row, 14)?,
        progress: read_progress(row)?,
        tick: extra.and_then(|extra| extra.tick()),
        failures,
        damage: damage.told(),
    })
}

fn read_progress(row: &PgRow) -> Result<Option<Progress>> {
    let (done, total) = (column::<Option<i64>, _>(row, 16)?, column::<Option<i64>, _>(row, 17)?);
    let (Some(done), Some(told)) = (done, column::<Option<Instant>, _>(row, 18)?) else { return Ok(None) };
    Ok(Some(Steps::new(unsigned(done), unsigned(total.unwrap_or_default())).at(told.0)))
}

fn read_failure(row: &PgRow, damage: &mut Damage) -> Result<FailedAttempt> {
    Ok(FailedAttempt {
        attempt: unsigned(column::<i16, _>(row, 1)?),
        epoch: unsigned(column::<i32, _>(row, 2)?),
        kind: FailureKind::from_word(column(row, 3)?).unwrap_or(FailureKind::Error),
        message: column(row, 4)?,
        chain: damage.spare("failure's chain", column::<Json<_>, _>(row, 5).map(|chain| chain.0)),
        worker: column(row, 6)?,
        started: column::<Option<Instant>, _>(row, 7)?.map(|instant| instant.0),
        ended: instant(row, 8)?,
    })
}
