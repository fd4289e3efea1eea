//! Schedules, and the jobs that their ticks make.

use std::time::Duration;

use pgq_core::schedule::Standing;
use pgq_core::{Codec, JobId, Missed, Overlap, Priority, Timestamp};
use sqlx::PgConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::types::Json;

use super::Postgres;
use super::convert::{Instant, column, database, instant, job_id, micros, unsigned};
use super::extra::Extra;
use super::gates::CUT_OFF;
use super::link::Link;
use super::namespace::{Statements, fnv1a_64, once};
use super::opening::Unopened;
use super::session::PgSession;
use super::wake::Call;
use crate::Result;
use crate::backend::{Agenda, Declared, Firing, Kept, Scheduled, Ticked};
use crate::platform::Clock;

impl PgSession {
    /// One at a time, so that each sees which sets were declared before it.
    async fn begin_declaring(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        let mut transaction = self.begin_durable().await?;
        lock_declarations(&self.statements, &mut transaction).await?;
        Ok(transaction)
    }

    pub(super) async fn prune_orphaned(&self, grace: Duration) -> Result<Vec<String>> {
        let mut transaction = self.begin_declaring().await?;
        let query = self.statements.prune_schedules.query().bind(micros(grace)).bind(self.now());
        let rows = query.fetch_all(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        rows.iter().map(|row| column(row, 0)).collect()
    }

    pub(super) async fn declare_all(&self, declared: Declared) -> Result<i64> {
        let declared = declared.sorted();
        let names: Vec<String> = declared.schedules.iter().map(|scheduled| scheduled.name.clone()).collect();
        let limits: Vec<String> = declared.limits.iter().map(|limited| limited.name.clone()).collect();
        let mut transaction = self.begin_declaring().await?;
        let query = self.statements.edition.query().bind(fingerprint(&declared)).bind(&names);
        let (shared, sharers): (Vec<&str>, Vec<&str>) = declared.shared().unzip();
        let query = query.bind(&declared.tasks).bind(limits).bind(shared).bind(sharers);
        let row = query.fetch_one(&mut *transaction).await.map_err(database)?;
        let number: i64 = column(&row, 0)?;
        let mut unopened = Unopened::default();
        // Before the worker's own row is written: a limit that somebody has locked must not hold up its sign of life. One that was
        // declared gone has nothing to say until it is back.
        if self.books().lock(&mut transaction, Some(self.lease), None).await?.0 {
            let query = self.statements.note_edition.query().bind(self.lease.0).bind(number);
            query.execute(&mut *transaction).await.map_err(database)?;
            let query = self.statements.rename_schedules.query().bind(names).bind(number);
            query.execute(&mut *transaction).await.map_err(database)?;
            unopened = self.declare_limits(&mut transaction, number, &declared).await?;
            let query = put(&self.statements, declared.schedules, self.now(), Some(number));
            query.execute(&mut *transaction).await.map_err(database)?;
        }
        transaction.commit().await.map_err(database)?;
        if let Err(error) = self.books().open_rest(&self.engine(), unopened).await {
            tracing::debug!(?error, "who waits at gates of limits that have changed goes a little later");
        }
        Ok(number)
    }

    /// Whoever finds a row as it was seen fires, and nobody else.
    pub(super) async fn fire_ticks(&self, firings: Vec<Firing>) -> Result<Vec<bool>> {
        let count = firings.len();
        let rows = self.engine().rows(fire(&self.statements, firings, self.now())).await?;
        let (mut fired, mut call) = (vec![false; count], Call::nobody());
        for row in &rows {
            let place: usize = unsigned(column::<i64, _>(row, 0)? - 1);
            fired.get_mut(place).into_iter().for_each(|fired| *fired = true);
            let jobs: usize = unsigned(column::<i64, _>(row, 3)?);
            if jobs > 0 {
                call.add(column(row, 1)?, column(row, 2)?, jobs);
            }
        }
        if call != Call::nobody() {
            // They are due since their ticks, which claims may have passed.
            self.passed().mark_behind();
        }
        // The jobs are in: who isn't woken finds them at the next look.
        if let Err(error) = self.call(&call).await {
            tracing::debug!(?error, "nobody was woken for the jobs of schedules");
        }
        Ok(fired)
    }
}

/// Until the transaction's end nobody else declares, or sets a limit.
async fn lock_declarations(statements: &Statements, connection: &mut PgConnection) -> Result<()> {
    let lock = once("select pg_advisory_xact_lock($1)").bind(statements.namespace.lock("declare"));
    lock.execute(connection).await.map(drop).map_err(database)
}

/// The same where nobody does just now; whether it is so.
pub(super) async fn try_lock_declarations(statements: &Statements, connection: &mut PgConnection) -> Result<bool> {
    let lock = once("select pg_try_advisory_xact_lock($1)").bind(statements.namespace.lock("declare"));
    column(&lock.fetch_one(connection).await.map_err(database)?, 0)
}

/// The parameters: of each schedule where it was seen and where it stands then, of each job its tick.
fn fire(
    statements: &Statements,
    firings: Vec<Firing>,
    now: Option<Instant>,
) -> Query<'static, sqlx::Postgres, PgArguments> {
    let (mut names, mut generations, mut seen, mut seen_waiting) = (vec![], vec![], vec![], vec![]);
    let (mut last, mut waiting, mut fired) = (vec![], vec![], vec![]);
    let (mut schedules, mut ticks, mut headers, mut extras) = (vec![], vec![], vec![], vec![]);
    for (firing, place) in firings.into_iter().zip(1_i64..) {
        fired.push(firing.fired().map(Instant));
        names.push(firing.name);
        generations.push(firing.generation);
        seen.push(Instant(firing.seen.last));
        seen_waiting.push(firing.seen.waiting.map(Instant));
        last.push(Instant(firing.last));
        waiting.push(firing.waiting.map(Instant));
        for ticked in firing.ticks {
            schedules.push(place);
            ticks.push(Instant(ticked.tick.at));
            extras.push(Json(Extra::of_tick(&ticked.tick)));
            headers.push((!ticked.headers.is_empty()).then_some(Json(ticked.headers)));
        }
    }
    let query = statements.fire.query().bind(names).bind(generations).bind(seen).bind(seen_waiting);
    let query = query.bind(last).bind(waiting).bind(fired).bind(schedules).bind(ticks).bind(headers).bind(extras);
    query.bind(Codec::MessagePack.number()).bind(now)
}

impl Postgres {
    pub(super) async fn create(&self, scheduled: Scheduled) -> Result<bool> {
        let query = put(&self.statements, vec![scheduled], self.clock.fixed().map(Instant), None);
        Ok(self.link.run(query).await? > 0)
    }

    pub(super) async fn hold_schedule_of(&self, name: String, paused: Option<String>) -> Result<bool> {
        let query = self.statements.hold_schedule.query().bind(name).bind(paused).bind(self.clock.fixed().map(Instant));
        Ok(self.link.run(query).await? > 0)
    }

    pub(super) async fn fire_out_of_turn(&self, name: String, ticked: Ticked) -> Result<Option<JobId>> {
        let mut transaction = self.link.begin_with(CUT_OFF).await?;
        let query = self.statements.lock_schedule.query().bind(&name);
        query.execute(&mut *transaction).await.map_err(database)?;
        let query = self.statements.trigger.query().bind(name).bind(Instant(ticked.tick.at));
        let headers = (!ticked.headers.is_empty()).then_some(Json(ticked.headers));
        let query = query.bind(headers).bind(Json(Extra::of_tick(&ticked.tick))).bind(Codec::MessagePack.number());
        let query = query.bind(self.clock.fixed().map(Instant));
        let row = query.fetch_optional(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        let Some(row) = row else { return Ok(None) };
        let mut call = Call::nobody();
        call.add(column(&row, 1)?, column(&row, 2)?, 1);
        self.wake(&call).await;
        Ok(Some(job_id(&row)?))
    }

    pub(super) async fn drop_schedule(&self, name: String) -> Result<bool> {
        let query = self.statements.delete_schedule.query().bind(name);
        Ok(self.link.run(query).await? > 0)
    }
}

/// With or without arguments.
pub(super) async fn agenda(link: &Link, statements: &Statements, clock: &Clock, whole: bool) -> Result<Agenda> {
    let query = statements.agenda.query().bind(clock.fixed().map(Instant)).bind(whole);
    let rows = link.rows(query).await?;
    let now = rows.first().map_or(Ok(Timestamp::EPOCH), |row| instant(row, 16))?;
    let mark = rows.first().map_or(Ok(0), |row| column(row, 24))?;
    let (mut schedules, mut unread) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in &rows {
        match read(row)? {
            Some(kept) => schedules.push(kept),
            None => unread.push(column(row, 0)?),
        }
    }
    Ok(Agenda { now, schedules, unread, mark })
}

/// Writes schedules that the set of this number declares, or, without one, that are created.
fn put(
    statements: &Statements,
    schedules: Vec<Scheduled>,
    now: Option<Instant>,
    edition: Option<i64>,
) -> Query<'static, sqlx::Postgres, PgArguments> {
    let (mut names, mut tasks, mut queues, mut ranks) = (vec![], vec![], vec![], vec![]);
    let (mut attempts, mut expires, mut cadences, mut zones) = (vec![], vec![], vec![], vec![]);
    let (mut missed, mut overlaps, mut payloads, mut limit_keys) = (vec![], vec![], vec![], vec![]);
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
        limit_keys.push(Json(scheduled.limit_keys));
    }
    let query = statements.schedule.query().bind(names).bind(tasks).bind(queues).bind(ranks).bind(attempts);
    let query = query.bind(expires).bind(cadences).bind(zones).bind(missed).bind(overlaps).bind(payloads);
    query.bind(now).bind(edition).bind(edition.is_none()).bind(limit_keys)
}

/// By which a set of declarations is known again.
fn fingerprint(declared: &Declared) -> i64 {
    let limits = declared.limits.iter().map(|limited| format!("{limited:?}"));
    let mut parts: Vec<String> = declared.tasks.iter().cloned().chain(limits).collect();
    let schedules = declared.schedules.iter().flat_map(|scheduled| {
        let Scheduled { name, task, queue, cadence, zone, missed, overlap, .. } = scheduled;
        let numbers = (scheduled.priority.rank(), scheduled.max_attempts, scheduled.expires_in.map(micros));
        let texts = [name, task, queue, cadence, zone].map(String::clone);
        let rest = [missed.to_string(), overlap.to_string(), format!("{numbers:?} {:?}", scheduled.payload)];
        texts.into_iter().chain(rest)
    });
    parts.extend(schedules);
    fnv1a_64(parts.iter().map(String::as_str)).cast_signed()
}

/// `None` where another version wrote what this one can't read: it is left to that one.
fn read(row: &PgRow) -> Result<Option<Kept>> {
    let (missed, overlap) = (Missed::read(column(row, 8)?), Overlap::read(column(row, 9)?));
    let (Some(missed), Some(overlap)) = (missed, overlap) else { return Ok(None) };
    let at = |index| column::<Option<Instant>, _>(row, index).map(|instant| instant.map(|instant| instant.0));
    let expires_in = column::<Option<i64>, _>(row, 5)?.map(|span| Duration::from_micros(unsigned(span)));
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
        limit_keys: column(row, 20)?,
    };
    let standing = Standing { last: instant(row, 12)?, waiting: at(13)?, busy: column(row, 15)? };
    Ok(Some(Kept {
        scheduled,
        generation: column(row, 11)?,
        standing,
        fired: at(14)?,
        created: column(row, 17)?,
        paused: column(row, 18)?,
        edition: column(row, 19)?,
        size: unsigned(column::<i32, _>(row, 21)?),
        job: column::<Option<i64>, _>(row, 22)?.map(JobId),
        earlier: column(row, 23)?,
    }))
}
