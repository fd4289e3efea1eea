//! What operators change: one job, many, or what is claimed at all.

use std::collections::HashMap;
use std::time::Duration;

use pgq_core::{Codec, JobId, Priority};
use sqlx::postgres::PgRow;

use super::Postgres;
use super::convert::{Instant, column, instant, job_id, micros};
use super::enqueue::when;
use super::operate::{STEP, TRIES};
use super::search::read_state;
use super::wake::Call;
use crate::backend::{Change, Deletion, Edited, Pausable, Pause};
use crate::error::{Error, Kind, Result};
use crate::platform::pause;

/// How long to leave rows alone that somebody has locked.
const BUSY: Duration = Duration::from_millis(5);

impl Postgres {
    pub(super) async fn change(&self, id: JobId, change: Change) -> Result<Edited> {
        for _ in 0..TRIES {
            if let Some(edited) = self.change_once(id, &change).await? {
                return Ok(edited);
            }
            pause(BUSY).await;
        }
        Err(locked(1))
    }

    /// `None` where somebody has the row locked.
    async fn change_once(&self, id: JobId, change: &Change) -> Result<Option<Edited>> {
        let (instant, delay) = change.when.map(when).unzip();
        let (codec, payload) = change.payload.clone().unzip();
        let query = self.statements.edit.query().bind(id.0).bind(change.task.clone());
        let query = query.bind(change.priority.map(Priority::rank)).bind(instant.flatten()).bind(delay);
        let query = query.bind(codec.map(Codec::number)).bind(payload).bind(self.now()).bind(change.limit_keys.clone());
        let row = self.link.row(query).await?;
        let edited = read_edited(&row)?;
        if edited == Some(Edited::Done) {
            let mut call = Call::nobody();
            call.add(column(&row, 5)?, column(&row, 6)?, 1);
            call.add_soon(column(&row, 5)?, column(&row, 6)?);
            self.wake(&call).await;
        }
        Ok(edited)
    }

    /// Deletes in steps, each whole by itself.
    pub(super) async fn delete_all(&self, ids: Vec<JobId>) -> Result<Vec<Deletion>> {
        let (mut answers, mut left, mut tries) = (HashMap::new(), ids.clone(), 0);
        while !left.is_empty() && tries < TRIES {
            let mut busy = Vec::new();
            for step in left.chunks(STEP) {
                busy.extend(self.delete_step(step, &mut answers).await?);
            }
            if !busy.is_empty() {
                pause(BUSY).await;
            }
            (left, tries) = (busy, tries + 1);
        }
        if !left.is_empty() {
            return Err(locked(left.len()));
        }
        Ok(ids.iter().map(|id| answers.get(id).copied().unwrap_or(Deletion::Unknown)).collect())
    }

    /// Those that somebody has locked.
    async fn delete_step(&self, ids: &[JobId], answers: &mut HashMap<JobId, Deletion>) -> Result<Vec<JobId>> {
        let query = self.statements.delete.query().bind(ids.iter().map(|id| id.0).collect::<Vec<_>>());
        let mut busy = Vec::new();
        for row in self.link.rows(query).await? {
            let id = job_id(&row)?;
            let (done, running, locked): (bool, bool, bool) = (column(&row, 1)?, column(&row, 2)?, column(&row, 3)?);
            match (done, running, locked) {
                (true, ..) => drop(answers.insert(id, Deletion::Done)),
                (_, true, _) => drop(answers.insert(id, Deletion::Running)),
                (.., true) => busy.push(id),
                _ => {}
            }
        }
        Ok(busy)
    }

    pub(super) async fn hold(&self, what: &Pausable, reason: &str, span: Option<Duration>) -> Result<()> {
        let (kind, name) = what.parts();
        let query = self.statements.pause.query().bind(kind).bind(name.to_owned()).bind(reason.to_owned());
        let query = query.bind(span.map(micros)).bind(self.now());
        self.link.run(query).await.map(drop)
    }

    pub(super) async fn let_go(&self, what: &Pausable) -> Result<bool> {
        let (kind, name) = what.parts();
        let query = self.statements.resume.query().bind(kind).bind(name.to_owned());
        let resumed = self.link.run(query).await? > 0;
        if resumed {
            self.link.run(self.statements.rouse.query().bind(self.now())).await?;
        }
        Ok(resumed)
    }

    pub(super) async fn held_back(&self) -> Result<Vec<Pause>> {
        let query = self.statements.pauses.query().bind(self.now());
        self.link.rows(query).await?.iter().map(read_pause).collect()
    }
}

fn read_edited(row: &PgRow) -> Result<Option<Edited>> {
    let (done, running, other, queued): (bool, bool, bool, bool) =
        (column(row, 0)?, column(row, 1)?, column(row, 2)?, column(row, 3)?);
    let finished = column::<Option<i16>, _>(row, 4)?;
    Ok(match (done, running, other, queued) {
        (true, ..) => Some(Edited::Done),
        (_, _, true, _) => Some(Edited::OtherTask),
        (_, true, ..) => Some(Edited::Running),
        (.., true) => None,
        _ => Some(finished.map_or(Edited::Unknown, |state| Edited::Finished(read_state(state)))),
    })
}

fn read_pause(row: &PgRow) -> Result<Pause> {
    let name: String = column(row, 1)?;
    let what = if column::<&str, _>(row, 0)? == "queue" { Pausable::Queue(name) } else { Pausable::Task(name) };
    let until = column::<Option<Instant>, _>(row, 4)?.map(|instant| instant.0);
    Ok(Pause { what, reason: column(row, 2)?, since: instant(row, 3)?, until })
}

pub(super) fn locked(jobs: usize) -> Error {
    Error::new(Kind::Overtaxed, format!("{jobs} jobs stay locked by somebody else: try again"))
}
