//! Enqueueing: one statement, whoever's transaction it is in.

use std::borrow::Cow;

use pgq_core::{Headers, JobId, NewJob, Placement, When};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

use super::convert::{Instant, column, database, micros};
use super::extra::Extra;
use super::link::Link;
use super::namespace::{Sql, Statements};
use super::wake::{Call, IN_FLIGHT, commit_and_wake, shortly, wake};
use crate::Result;
use crate::backend::Enqueued;
use crate::platform::Clock;

/// Enqueues in a transaction of our own: commit first, then read who sleeps, then notify. The other way round a worker
/// could fall asleep in between. Where nobody slept when it began and it was over soon, that is the worker's business, who looks
/// once more some time after it has fallen asleep: while workers are busy an enqueue is one statement.
pub(super) async fn commit(
    link: &Link,
    statements: &Statements,
    clock: &Clock,
    jobs: Vec<NewJob>,
) -> Result<Vec<Enqueued>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let call = Call::for_jobs(&jobs, clock);
    let together = link.is_poll_only() || jobs.iter().any(|job| job.unique.is_some());
    if together {
        let mut transaction = link.begin().await?;
        let enqueued = run(&mut transaction, statements, clock, jobs, &Call::nobody()).await?;
        commit_and_wake(transaction, statements, clock, &call).await?;
        return Ok(enqueued);
    }
    let (mut visit, began) = (link.visit().await?, clock.mark());
    let (enqueued, asleep) = insert_plain(&mut visit, statements, clock, jobs, &call.asking()).await?;
    let nobody = !asleep && call.is_for_work() && clock.fixed().is_none() && began.elapsed() < IN_FLIGHT;
    if !nobody {
        shortly(wake(&mut visit, statements, clock, &call)).await;
    }
    visit.end().await?;
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
    if statements.persistent || is_in_transaction(connection).await? {
        return run(connection, statements, clock, jobs, &call).await;
    }
    let mut transaction = connection.begin().await.map_err(database)?;
    let enqueued = run(&mut transaction, statements, clock, jobs, &call).await?;
    transaction.commit().await.map_err(database)?;
    Ok(enqueued)
}

/// The driver knows of those that it began. One that was begun by a statement has a time of its own, before that of each later
/// statement; without a transaction the two are the same. As a simple query, which is safe on every connection.
async fn is_in_transaction(connection: &mut PgConnection) -> Result<bool> {
    if connection.is_in_transaction() {
        return Ok(true);
    }
    let query = sqlx::raw_sql("select transaction_timestamp() <> statement_timestamp()");
    column(&query.fetch_one(connection).await.map_err(database)?, 0)
}

/// Enqueues what has a unique key apart from the rest, in one transaction of whoever it is; `call` says who is woken.
pub(super) async fn run(
    connection: &mut PgConnection,
    statements: &Statements,
    clock: &Clock,
    jobs: Vec<NewJob>,
    call: &Call,
) -> Result<Vec<Enqueued>> {
    if jobs.iter().all(|job| job.unique.is_none()) {
        return Ok(insert_plain(connection, statements, clock, jobs, call).await?.0);
    }
    let mut placed: Vec<Option<Enqueued>> = vec![None; jobs.len()];
    let (mut plain, mut plain_places, mut unique) = (Vec::new(), Vec::new(), Vec::new());
    for (place, job) in jobs.into_iter().enumerate() {
        if job.unique.is_some() {
            unique.push((place, job));
        } else {
            plain_places.push(place);
            plain.push(job);
        }
    }
    for (place, enqueued) in
        plain_places.into_iter().zip(insert_plain(connection, statements, clock, plain, call).await?.0)
    {
        placed[place] = Some(enqueued);
    }
    for (place, enqueued) in super::unique::insert(connection, statements, clock, unique, call).await? {
        placed[place] = Some(enqueued);
    }
    Ok(placed.into_iter().flatten().collect())
}

/// One statement for all of them, where it is one job and nobody is woken a smaller one; whether somebody slept who may run one.
async fn insert_plain(
    connection: &mut PgConnection,
    statements: &Statements,
    clock: &Clock,
    jobs: Vec<NewJob>,
    call: &Call,
) -> Result<(Vec<Enqueued>, bool)> {
    if jobs.is_empty() {
        return Ok((Vec::new(), false));
    }
    let jobs = match <[NewJob; 1]>::try_from(jobs) {
        Ok([job]) if call.workers() == 0 => {
            let row = one(job, statements, clock, call).fetch_one(connection).await.map_err(database)?;
            return Ok((vec![Enqueued { id: JobId(column(&row, 0)?), placement: Placement::New }], column(&row, 1)?));
        }
        Ok(job) => job.into(),
        Err(jobs) => jobs,
    };
    let query = Columns::of(jobs).bind(&statements.enqueue, clock, call);
    let row = query.fetch_one(connection).await.map_err(database)?;
    let ids: Vec<i64> = column(&row, 0)?;
    let enqueued = ids.into_iter().map(|id| Enqueued { id: JobId(id), placement: Placement::New });
    Ok((enqueued.collect(), column(&row, 1)?))
}

fn one<'q>(job: NewJob, statements: &Statements, clock: &Clock, call: &Call) -> Query<'q, sqlx::Postgres, PgArguments> {
    let (extra, (instant, delay)) = (Extra::of(&job).map(Json), when(job.when));
    let query = statements.enqueue_one.query().bind(job.queue).bind(job.task).bind(job.priority.rank());
    let query = query.bind(instant).bind((delay != 0).then_some(delay)).bind(most_attempts(job.max_attempts));
    let query = query.bind(job.codec.number()).bind((!job.headers.is_empty()).then_some(Json(job.headers)));
    let query = query.bind(job.payload).bind(clock.fixed().map(Instant)).bind(call.hashes());
    query.bind(job.expires_in.map(micros)).bind(extra)
}

/// The jobs turned on their side: an array for each column. They go as [`once`] and [`if_any`] say.
#[derive(Default)]
pub(super) struct Columns {
    queues: Vec<Cow<'static, str>>,
    tasks: Vec<Cow<'static, str>>,
    ranks: Vec<i16>,
    instants: Vec<Option<Instant>>,
    delays: Vec<Option<i64>>,
    max_attempts: Vec<i16>,
    codecs: Vec<i16>,
    headers: Vec<Option<Json<Headers>>>,
    payloads: Vec<Vec<u8>>,
    expires: Vec<Option<i64>>,
    extras: Vec<Option<Json<Extra>>>,
}

impl Columns {
    pub(super) fn of(jobs: Vec<NewJob>) -> Self {
        let mut columns = Self::default();
        for job in jobs {
            columns.push(job);
        }
        columns
    }

    /// The parameters that both ways to enqueue begin with.
    pub(super) fn bind<'q>(self, sql: &Sql, clock: &Clock, call: &Call) -> Query<'q, sqlx::Postgres, PgArguments> {
        sql.query()
            .bind(once(self.queues))
            .bind(once(self.tasks))
            .bind(once(self.ranks))
            .bind(if_any(self.instants))
            .bind(if_any(self.delays))
            .bind(once(self.max_attempts))
            .bind(once(self.codecs))
            .bind(if_any(self.headers))
            .bind(self.payloads)
            .bind(clock.fixed().map(Instant))
            .bind(call.hashes())
            .bind(call.workers())
            .bind(call.payload())
            .bind(if_any(self.expires))
            .bind(if_any(self.extras))
    }

    fn push(&mut self, job: NewJob) {
        let (instant, delay) = when(job.when);
        self.extras.push(Extra::of(&job).map(Json));
        self.queues.push(job.queue);
        self.tasks.push(job.task);
        self.ranks.push(job.priority.rank());
        self.instants.push(instant);
        self.delays.push((delay != 0).then_some(delay));
        self.max_attempts.push(most_attempts(job.max_attempts));
        self.codecs.push(job.codec.number());
        self.headers.push((!job.headers.is_empty()).then_some(Json(job.headers)));
        self.payloads.push(job.payload);
        self.expires.push(job.expires_in.map(micros));
    }
}

fn most_attempts(count: u16) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

/// What all have in common once, or each one's own.
fn once<T: PartialEq>(mut values: Vec<T>) -> Vec<T> {
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        values.truncate(1);
    }
    values
}

/// Nothing where none has one.
fn if_any<T>(values: Vec<Option<T>>) -> Option<Vec<Option<T>>> {
    values.iter().any(Option::is_some).then_some(values)
}

/// An instant, or a delay in microseconds.
pub(super) fn when(when: When) -> (Option<Instant>, i64) {
    match when {
        When::Now => (None, 0),
        When::After(delay) => (None, micros(delay)),
        When::At(instant) => (Some(Instant(instant)), 0),
    }
}
