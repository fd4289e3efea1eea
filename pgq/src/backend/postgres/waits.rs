//! What a job waits for.

use pgq_core::limit::gatehouse::Post;
use pgq_core::{JobId, Timestamp};
use sqlx::postgres::PgRow;

use super::Postgres;
use super::convert::{column, instant, job_id, unsigned};
use super::gates::read_post;
use super::search::read_state;
use super::wake::hash;
use crate::Result;
use crate::backend::{Holders, LimitWait, NAMED, RunningJob, WaitsFor, Whereabouts};

impl Postgres {
    pub(super) async fn locate(&self, id: JobId) -> Result<Option<Whereabouts>> {
        let query = self.statements.whereabouts.query().bind(id.0).bind(self.now());
        let rows = self.link.rows(query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (task, queue): (String, String) = (column(row, 0)?, column(row, 1)?);
        let waits_for = match column::<i16, _>(row, 2)? {
            1 => WaitsFor::Due(instant(row, 3)?),
            2 => self.gate_wait(column::<Option<String>, _>(row, 4)?.as_slice(), |_, _| true).await?,
            3 => WaitsFor::Running(column(row, 5)?),
            4 => WaitsFor::Finished(read_state(column(row, 6)?)),
            // Nobody has come for it yet, and he won't get it through.
            _ => self.gate_wait(&column::<Vec<String>, _>(row, 7)?, Post::is_closed).await?,
        };
        let query = self.statements.served.query().bind(hash(&queue, &task)).bind(self.now());
        let row = self.link.row(query).await?;
        Ok(Some(Whereabouts { task, queue, waits_for, served: column(&row, 0)?, now: instant(&row, 1)? }))
    }

    pub(super) async fn holders_of(&self, limit: String, tasks: Vec<String>) -> Result<Holders> {
        let rows = self.link.rows(self.statements.running.query().bind(tasks).bind(i64::from(NAMED))).await?;
        let count = rows.first().map(|row| column::<i64, _>(row, 1)).transpose()?;
        let jobs = rows.iter().map(|row| read_running(row, 2)).collect::<Result<_>>()?;
        let awaited = self.link.rows(self.statements.awaited.query().bind(limit).bind(self.now())).await?;
        let awaited = awaited.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
        Ok(Holders { running: unsigned(count.unwrap_or(0)), jobs, awaited })
    }

    /// The first of these gates that is like that.
    async fn gate_wait(&self, gates: &[String], is_it: fn(&Post, Timestamp) -> bool) -> Result<WaitsFor> {
        if gates.is_empty() {
            return Ok(WaitsFor::Worker);
        }
        let query = self.statements.gates.query().bind(gates).bind(false).bind(self.now());
        let posts = self.link.rows(query).await?.iter().map(read_post).collect::<Result<Vec<_>>>()?;
        let held_up = |gate: &String| posts.iter().find(|(name, post, now)| name == gate && is_it(post, *now));
        let Some((name, post, now)) = gates.iter().find_map(held_up) else { return Ok(WaitsFor::Worker) };
        let query = self.statements.gate_jobs.query().bind(name.clone()).bind(i64::from(NAMED));
        let jobs = self.link.rows(query).await?.iter().map(|row| read_running(row, 1)).collect::<Result<_>>()?;
        Ok(WaitsFor::Limit(LimitWait::at_gate(name, post.bounds, post.gate, *now, jobs)))
    }
}

/// A job, and in this column where it runs.
fn read_running(row: &PgRow, at: usize) -> Result<RunningJob> {
    Ok(RunningJob { id: job_id(row)?, worker: column(row, at)? })
}
