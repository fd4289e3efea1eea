//! Enqueueing: one statement, whoever's transaction it is in.

use pgq_core::{Headers, JobId, NewJob, When};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

use super::convert::{Instant, database, job_id, micros};
use super::extra::Extra;
use super::namespace::Statements;
use super::wake::{Call, wake};
use crate::Result;
use crate::backend::Enqueued;
use crate::platform::Clock;

/// Enqueues in a transaction of our own: commit first, then read who sleeps, then notify. The other way round a worker
/// could fall asleep in between.
pub(super) async fn commit(
    pool: &PgPool,
    statements: &Statements,
    clock: &Clock,
    jobs: Vec<NewJob>,
) -> Result<Vec<Enqueued>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let call = Call::for_jobs(&jobs, clock);
    let mut connection = pool.acquire().await.map_err(database)?;
    let enqueued = run(&mut connection, statements, clock, jobs, &Call::nobody()).await?;
    // The jobs are in: who isn't woken finds them at the next look, so this is no failure of the enqueue.
    if let Err(error) = wake(&mut connection, statements, clock, &call).await {
        tracing::debug!(?error, "nobody was woken for jobs that were enqueued");
    }
    Ok(enqueued)
}

/// Enqueues within a transaction of the caller's: the notices leave with its commit.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    statements: &Statements,
    clock: &Clock,
    jobs: Vec<NewJob>,
) -> Result<Vec<Enqueued>> {
    let call = Call::for_jobs(&jobs, clock);
    run(connection, statements, clock, jobs, &call).await
}

/// The statement itself; `call` says who is woken by it.
pub(super) async fn run(
    connection: &mut PgConnection,
    statements: &Statements,
    clock: &Clock,
    jobs: Vec<NewJob>,
    call: &Call,
) -> Result<Vec<Enqueued>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(jobs);
    let query = statements
        .enqueue
        .query()
        .bind(columns.queues)
        .bind(columns.tasks)
        .bind(columns.ranks)
        .bind(columns.instants)
        .bind(columns.delays)
        .bind(columns.max_attempts)
        .bind(columns.codecs)
        .bind(columns.headers)
        .bind(columns.payloads)
        .bind(clock.fixed().map(Instant))
        .bind(call.hashes())
        .bind(call.workers())
        .bind(call.payload())
        .bind(columns.expires)
        .bind(columns.extras);
    let rows = query.fetch_all(connection).await.map_err(database)?;
    rows.iter().map(|row| job_id(row).map(|id: JobId| Enqueued { id, is_new: true })).collect()
}

/// The jobs turned on their side: an array for each column.
#[derive(Default)]
struct Columns {
    queues: Vec<String>,
    tasks: Vec<String>,
    ranks: Vec<i16>,
    instants: Vec<Option<Instant>>,
    delays: Vec<i64>,
    max_attempts: Vec<i16>,
    codecs: Vec<i16>,
    headers: Vec<Option<Json<Headers>>>,
    payloads: Vec<Vec<u8>>,
    expires: Vec<Option<i64>>,
    extras: Vec<Option<Json<Extra>>>,
}

impl Columns {
    fn of(jobs: Vec<NewJob>) -> Self {
        let mut columns = Self::default();
        for job in jobs {
            columns.push(job);
        }
        columns
    }

    fn push(&mut self, job: NewJob) {
        let (instant, delay) = match job.when {
            When::Now => (None, 0),
            When::After(delay) => (None, micros(delay)),
            When::At(instant) => (Some(Instant(instant)), 0),
        };
        self.queues.push(job.queue.into_owned());
        self.tasks.push(job.task.into_owned());
        self.ranks.push(job.priority.rank());
        self.instants.push(instant);
        self.delays.push(delay);
        self.max_attempts.push(i16::try_from(job.max_attempts).unwrap_or(i16::MAX));
        self.codecs.push(job.codec.number());
        self.headers.push((!job.headers.is_empty()).then_some(Json(job.headers)));
        self.payloads.push(job.payload);
        self.expires.push(job.expires_in.map(micros));
        self.extras.push(Extra::of(job.timeout).map(Json));
    }
}
