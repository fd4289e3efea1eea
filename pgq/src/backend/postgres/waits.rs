//! What a job waits for.

use pgq_core::JobId;

use super::Postgres;
use super::convert::{column, instant, job_id};
use super::gates::read_post;
use super::search::read_state;
use super::wake::hash;
use crate::Result;
use crate::backend::{LimitWait, NAMED, WaitsFor, Whereabouts};

impl Postgres {
    pub(super) async fn locate(&self, id: JobId) -> Result<Option<Whereabouts>> {
        let query = self.statements.whereabouts.query().bind(id.0).bind(self.now());
        let rows = self.link.rows(query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (task, queue): (String, String) = (column(row, 0)?, column(row, 1)?);
        let waits_for = match column::<i16, _>(row, 2)? {
            1 => WaitsFor::Due(instant(row, 3)?),
            2 => self.gate_wait(column(row, 4)?).await?,
            3 => WaitsFor::Running(column(row, 5)?),
            4 => WaitsFor::Finished(read_state(column(row, 6)?)),
            _ => WaitsFor::Worker,
        };
        let beside = if waits_for == WaitsFor::Worker { self.running_of(&queue, &task).await? } else { Vec::new() };
        let query = self.statements.served.query().bind(hash(&queue, &task)).bind(self.now());
        let row = self.link.row(query).await?;
        Ok(Some(Whereabouts { task, queue, waits_for, beside, served: column(&row, 0)?, now: instant(&row, 1)? }))
    }

    async fn running_of(&self, queue: &str, task: &str) -> Result<Vec<JobId>> {
        let query = self.statements.beside.query().bind(queue.to_owned()).bind(task.to_owned());
        self.link.rows(query.bind(i64::from(NAMED))).await?.iter().map(job_id).collect()
    }

    async fn gate_wait(&self, gate: Option<String>) -> Result<WaitsFor> {
        let gates: Vec<String> = gate.into_iter().collect();
        let query = self.statements.gates.query().bind(&gates).bind(Vec::<i64>::new()).bind(false).bind(self.now());
        let query = query.bind(Vec::<String>::new()).bind(Vec::<String>::new());
        let rows = self.link.rows(query).await?;
        let Some(row) = rows.first() else { return Ok(WaitsFor::Worker) };
        let (name, post, now) = read_post(row)?;
        let query = self.statements.gate_jobs.query().bind(name.clone()).bind(i64::from(NAMED));
        let jobs = self.link.rows(query).await?.iter().map(job_id).collect::<Result<_>>()?;
        Ok(WaitsFor::Limit(LimitWait::at_gate(&name, post.bounds, post.gate, now, jobs)))
    }
}
