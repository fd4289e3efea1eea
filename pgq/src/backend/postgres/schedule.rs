//! Schedules, and the jobs that their ticks make.

use pgq_core::schedule::Standing;
use pgq_core::{Missed, Overlap, Priority, Timestamp};
use sqlx::postgres::PgRow;

use super::convert::{Instant, column, database, instant, micros, unsigned};
use super::enqueue;
use super::session::PgSession;
use super::wake::Call;
use crate::Result;
use crate::backend::{Agenda, Firing, Kept, Scheduled};

impl PgSession {
    pub(super) async fn declare_schedules(&self, schedules: Vec<Scheduled>) -> Result<()> {
        let (mut names, mut tasks, mut queues, mut ranks) = (vec![], vec![], vec![], vec![]);
        let (mut attempts, mut expires, mut cadences, mut zones) = (vec![], vec![], vec![], vec![]);
        let (mut missed, mut overlaps, mut payloads) = (vec![], vec![], vec![]);
        for scheduled in schedules {
            names.push(scheduled.name);
            tasks.push(scheduled.task);
            queues.push(scheduled.queue);
            ranks.push(scheduled.priority.rank());
            attempts.push(i16::try_from(scheduled.max_attempts).unwrap_or(i16::MAX));
            expires.push(scheduled.expires_in.map(micros));
            cadences.push(scheduled.cadence);
            zones.push(scheduled.zone);
            missed.push(scheduled.missed.to_string());
            overlaps.push(scheduled.overlap.to_string());
            payloads.push(scheduled.payload);
        }
        let query = self.statements.schedule.query().bind(names).bind(tasks).bind(queues).bind(ranks).bind(attempts);
        let query = query.bind(expires).bind(cadences).bind(zones).bind(missed).bind(overlaps).bind(payloads);
        let mut transaction = self.begin_durable().await?;
        query.bind(self.now()).execute(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)
    }

    pub(super) async fn read_agenda(&self) -> Result<Agenda> {
        let query = self.statements.agenda.query().bind(self.now());
        let rows = query.fetch_all(&self.engine()).await.map_err(database)?;
        let now = rows.first().map_or(Ok(Timestamp::EPOCH), |row| instant(row, 16))?;
        let mut schedules = Vec::with_capacity(rows.len());
        for row in &rows {
            schedules.extend(read(row)?);
        }
        Ok(Agenda { now, schedules })
    }

    /// The comparison and the jobs in one transaction: whoever finds the row as it was seen fires, and nobody else.
    pub(super) async fn fire_ticks(&self, firing: Firing) -> Result<bool> {
        let call = Call::for_jobs(&firing.jobs, &self.clock);
        let mut transaction = self.begin_durable().await?;
        let query = self.statements.fire.query().bind(&firing.name).bind(firing.generation);
        let query = query.bind(Instant(firing.seen.last)).bind(firing.seen.waiting.map(Instant));
        let query =
            query.bind(Instant(firing.last)).bind(firing.waiting.map(Instant)).bind(firing.fired().map(Instant));
        if query.execute(&mut *transaction).await.map_err(database)?.rows_affected() == 0 {
            return Ok(false);
        }
        let enqueued =
            enqueue::run(&mut transaction, &self.statements, &self.clock, firing.jobs, &Call::nobody()).await?;
        if let Some(job) = enqueued.last() {
            let query = self.statements.fired.query().bind(&firing.name).bind(job.id.0);
            query.execute(&mut *transaction).await.map_err(database)?;
        }
        transaction.commit().await.map_err(database)?;
        self.call(&call).await?;
        Ok(true)
    }
}

/// `None` where another version wrote what this one can't read: it is left to that one.
fn read(row: &PgRow) -> Result<Option<Kept>> {
    let (missed, overlap) = (Missed::read(column(row, 8)?), Overlap::read(column(row, 9)?));
    let (Some(missed), Some(overlap)) = (missed, overlap) else { return Ok(None) };
    let at = |index| column::<Option<Instant>, _>(row, index).map(|instant| instant.map(|instant| instant.0));
    let expires_in = column::<Option<i64>, _>(row, 5)?.map(|span| std::time::Duration::from_micros(unsigned(span)));
    let scheduled = Scheduled {
        name: column(row, 0)?,
        task: column(row, 1)?,
        queue: column(row, 2)?,
        priority: Priority::from_rank(column(row, 3)?),
        max_attempts: unsigned(column::<i16, _>(row, 4)?),
        expires_in,
        cadence: column(row, 6)?,
        zone: column(row, 7)?,
        missed,
        overlap,
        payload: column(row, 10)?,
    };
    let standing = Standing { last: instant(row, 12)?, waiting: at(13)?, busy: column(row, 15)? };
    Ok(Some(Kept { scheduled, generation: column(row, 11)?, standing, fired: at(14)? }))
}
