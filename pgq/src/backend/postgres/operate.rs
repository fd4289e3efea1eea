//! The operator's verbs.

use std::collections::HashMap;
use std::time::Duration;

use pgq_core::{Failure, FailureKind, JobId};
use sqlx::postgres::PgRow;

use super::change::locked;
use super::convert::{Instant, column, database, job_id};
use super::link::Link;
use super::namespace::{Statements, once};
use super::search::read_state;
use super::wake::Call;
use super::{Postgres, migrate, schedule};
use crate::backend::{
    Agenda, Answer, Bounds, Cancellation, Change, Declaration, Deletion, Edited, Found, Holders, JobInfo, LimitInfo,
    LimitName, Migrated, Operate, Pausable, Pause, Retrial, Scheduled, Search, Ticked, Whereabouts,
};
use crate::error::Result;
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
            let mut transaction = self.link.begin().await?;
            let query = once("select current_setting('server_version')");
            let row = query.fetch_one(&mut *transaction).await.map_err(database)?;
            // Distributions add a word of their own to the number.
            let version = column::<&str, _>(&row, 0)?.split_whitespace().next().unwrap_or_default().to_owned();
            let manner = if self.is_poll_only() { ", poll-only" } else { "" };
            Ok(format!("PostgreSQL {version}, {}{manner}", self.statements.namespace))
        })
    }

    fn cancel(&self, ids: Vec<JobId>, why: String) -> Answer<'_, Vec<Cancellation>> {
        Box::pin(cancel(&self.link, &self.statements, &self.clock, ids, why))
    }

    fn retry(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Retrial>> {
        Box::pin(self.retry_all(ids))
    }

    fn get(&self, ids: Vec<JobId>) -> Answer<'_, Vec<JobInfo>> {
        Box::pin(self.look_up(ids))
    }

    fn find(&self, search: Search) -> Answer<'_, Found> {
        Box::pin(self.search(search))
    }

    fn edit(&self, id: JobId, change: Change) -> Answer<'_, Edited> {
        Box::pin(self.change(id, change))
    }

    fn delete(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Deletion>> {
        Box::pin(self.delete_all(ids))
    }

    fn pause(&self, what: Pausable, reason: String, span: Option<Duration>) -> Answer<'_, ()> {
        Box::pin(async move { self.hold(&what, &reason, span).await })
    }

    fn resume(&self, what: Pausable) -> Answer<'_, bool> {
        Box::pin(async move { self.let_go(&what).await })
    }

    fn declarations(&self, name: Option<String>) -> Answer<'_, Vec<Declaration>> {
        Box::pin(async move {
            let query = self.statements.declarations.query().bind(name);
            self.link.rows(query).await?.iter().map(declaration).collect()
        })
    }

    fn whereabouts(&self, id: JobId) -> Answer<'_, Option<Whereabouts>> {
        Box::pin(self.locate(id))
    }

    fn holders(&self, limit: String, tasks: Vec<String>) -> Answer<'_, Holders> {
        Box::pin(self.holders_of(limit, tasks))
    }

    fn limits(&self) -> Answer<'_, Vec<LimitInfo>> {
        Box::pin(self.limit_infos())
    }

    fn set_limit(&self, name: LimitName, bounds: Option<Bounds>) -> Answer<'_, bool> {
        Box::pin(self.bound(name, bounds))
    }

    fn pauses(&self) -> Answer<'_, Vec<Pause>> {
        Box::pin(self.held_back())
    }

    fn schedules(&self) -> Answer<'_, Agenda> {
        Box::pin(schedule::agenda(&self.link, &self.statements, &self.clock, true))
    }

    fn create_schedule(&self, scheduled: Scheduled) -> Answer<'_, bool> {
        Box::pin(self.create(scheduled))
    }

    fn hold_schedule(&self, name: String, paused: Option<String>) -> Answer<'_, bool> {
        Box::pin(self.hold_schedule_of(name, paused))
    }

    fn trigger_schedule(&self, name: String, ticked: Ticked) -> Answer<'_, Option<JobId>> {
        Box::pin(self.fire_out_of_turn(name, ticked))
    }

    fn delete_schedule(&self, name: String) -> Answer<'_, bool> {
        Box::pin(self.drop_schedule(name))
    }
}

impl Postgres {
    /// Retries in steps, each whole by itself.
    async fn retry_all(&self, ids: Vec<JobId>) -> Result<Vec<Retrial>> {
        let mut answers = HashMap::new();
        for step in ids.chunks(STEP) {
            let call = self.retry_step(step, &mut answers).await?;
            self.wake(&call).await;
        }
        Ok(ids.iter().map(|id| answers.get(id).copied().unwrap_or(Retrial::Unknown)).collect())
    }

    async fn retry_step(&self, ids: &[JobId], answers: &mut HashMap<JobId, Retrial>) -> Result<Call> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let mut transaction = self.link.begin().await?;
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
}

/// So many jobs are cancelled, retried or deleted by one statement.
pub(super) const STEP: usize = 1_000;
/// How often to look again at rows that somebody had locked.
pub(super) const TRIES: u32 = 100;

/// Cancels in steps, each whole by itself.
pub(super) async fn cancel(
    link: &Link,
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
            for row in link.rows(query).await? {
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
        return Err(locked(left.len()));
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

fn declaration(row: &PgRow) -> Result<Declaration> {
    Ok(Declaration { name: column(row, 0)?, queue: column(row, 1)?, options: column(row, 2)?, schema: column(row, 3)? })
}
