//! A worker's sign of life and its ear, on one connection.

use std::sync::Arc;
use std::time::Duration;

use pgq_core::{JobId, Lease, Timestamp, crash};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgListener, PgRow};
use sqlx::query::Query;

use super::connect::{at_most, pulse_link};
use super::convert::{Instant, column, database, instant, micros, unsigned};
use super::link::Link;
use super::namespace::Statements;
use super::session::PgSession;
use super::sight::{Sight, Sighting};
use super::unseen::Unseen;
use super::witness::Witness;
use crate::backend::vigil::{Beat, Look, Vigil};
use crate::backend::{Answer, Cancelled, GATE_LATE, LookFor, Notice, Outlook, Pulse, Renewal, Watched};
use crate::error::{Error, Kind, Result};
use crate::platform::{Clock, Mark};

/// How long a beat may take, and three tenths of a lease: the server ends it before nobody waits for it any more (a third), so that
/// what it looked for in vain isn't looked for on and on.
const MOST: Duration = Duration::from_secs(10);

pub(super) struct PgPulse {
    lease: Lease,
    voice: Voice,
    /// How long a statement may take.
    most: Duration,
    statements: Arc<Statements>,
    clock: Clock,
    sight: Sight,
    /// What the last beat saw, until somebody looks at it.
    seen: Option<Seen>,
    witness: Arc<Witness>,
    vigil: Arc<Vigil>,
    /// What this worker has missed is due too.
    unseen: Arc<Unseen>,
}

/// By whose eyes, and whom.
type Seen = (i32, Vec<Sighting>);

/// The connection that it beats on.
enum Voice {
    /// It hears too.
    Listening(PgListener),
    /// It only speaks.
    Deaf(Link),
}

impl PgPulse {
    /// LISTEN comes first, before any claim can decide that there is nothing to do: a notice in between would be lost.
    pub(super) async fn open(session: &PgSession) -> Result<Self> {
        let opened = Self::connect(session).await;
        if opened.is_err() {
            session.witness.failed();
        }
        opened
    }

    async fn connect(session: &PgSession) -> Result<Self> {
        let most = MOST.min(session.span * 3 / 10);
        let link = pulse_link(&session.engine(), session.lease, most);
        let voice = if link.is_poll_only() {
            Voice::Deaf(link)
        } else {
            let mut listener = match PgListener::connect_with(link.pool()).await {
                Ok(listener) => listener,
                Err(error) => return Err(link.unconnected(error).await),
            };
            // Whoever lost it has to be told: notices were lost too, and perhaps the server has forgotten something.
            listener.eager_reconnect(false);
            listener.listen(&channel(session.lease)).await.map_err(database)?;
            Voice::Listening(listener)
        };
        let (witness, vigil) = (Arc::clone(&session.witness), Arc::clone(&session.vigil));
        let (statements, clock) = (Arc::clone(&session.statements), session.clock.clone());
        let (lease, unseen, sight) = (session.lease, Arc::clone(&session.unseen), Sight::default());
        Ok(Self { lease, voice, most, statements, clock, sight, seen: None, witness, vigil, unseen })
    }

    async fn beat(&mut self, look_for: LookFor) -> Result<(Renewal, Outlook)> {
        let (witness, clock) = (Arc::clone(&self.witness), self.clock.clone());
        let (asked, sent) = (clock.mark(), witness.send(&clock));
        let LookFor { wants, suspect, due, schedules, lost } = &look_for;
        let (queues, tasks): (Vec<&str>, Vec<&str>) = wants.iter().map(|want| (&*want.queue, &*want.task)).unzip();
        let query = self.statements.renew.query().bind(self.lease.0).bind(self.clock.fixed().map(Instant));
        let query = query.bind(queues).bind(tasks).bind(suspect).bind(i32::from(crash::SUSPECT));
        let query = query.bind(due).bind(schedules).bind(lost).bind(micros(GATE_LATE));
        let rows = self.rows(query).await?;
        sent.accepted();
        self.keep_vigil(asked, &rows)?;
        // What is seen through a pooler was seen through somebody else's connection.
        self.seen = if self.hears() { Some(read_seen(&rows)?) } else { None };
        let mut cancelled = Vec::new();
        for row in &rows {
            if !column::<bool, _>(row, 0)? {
                return Ok((Renewal::Gone, Outlook::NOTHING));
            }
            if let Some(id) = column::<Option<i64>, _>(row, 1)? {
                let (epoch, why) = (unsigned(column::<i32, _>(row, 2)?), column(row, 3)?);
                cancelled.push(Cancelled { id: JobId(id), epoch, why });
            }
        }
        let outlook = rows.first().map(read_outlook).transpose()?.unwrap_or(Outlook::NOTHING);
        let due = if *due { outlook.due.into_iter().chain(self.unseen.due()).min() } else { None };
        Ok((Renewal::Alive { cancelled }, Outlook { due, lapse: self.vigil.lapse(), ..outlook }))
    }

    /// There is always a row, which tells the time and since when the server has been there.
    fn keep_vigil(&self, asked: Mark, rows: &[PgRow]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let (now, server) = (instant(first, 14)?, instant(first, 15)?);
        let beats = read_others(rows)?.into_iter().map(|(beat, _)| beat).collect();
        self.vigil.look(Look { asked, now, server, beats }, &self.clock);
        Ok(())
    }

    async fn look_around(&mut self) -> Result<Watched> {
        let lost =
            self.seen.take().map(|(eyes, others)| self.sight.look(eyes, &others, &self.clock)).unwrap_or_default();
        let gone = if lost.is_empty() { 0 } else { self.declare(lost).await? };
        Ok(Watched { gone, missing: self.sight.misses_somebody() })
    }

    async fn declare(&mut self, lost: Vec<(Lease, Timestamp)>) -> Result<u32> {
        let (leases, beats): (Vec<_>, Vec<_>) = lost.into_iter().map(|(lease, beat)| (lease.0, Instant(beat))).unzip();
        let query = self.statements.declare_lost.query().bind(leases).bind(beats);
        let query = query.bind(self.clock.fixed().map(Instant));
        Ok(unsigned(self.rows(query).await?.len()))
    }

    async fn rows(&mut self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
        match &mut self.voice {
            Voice::Listening(listener) => query.fetch_all(listener).await.map_err(database),
            Voice::Deaf(link) => {
                let mut transaction = link.begin_with(&at_most(self.most)).await?;
                let rows = query.fetch_all(&mut *transaction).await.map_err(database)?;
                transaction.commit().await.map_err(database)?;
                Ok(rows)
            }
        }
    }

    async fn listen(&mut self) -> Result<Notice> {
        let Voice::Listening(listener) = &mut self.voice else { return std::future::pending().await };
        let Some(first) = listener.try_recv().await.map_err(database)? else {
            return Err(Error::new(Kind::Unreachable, "the connection that listens was lost"));
        };
        let mut notice = super::wake::notice(first.payload());
        while let Some(next) = listener.next_buffered() {
            notice = notice.and(super::wake::notice(next.payload()));
        }
        Ok(notice)
    }
}

/// There is always a row, which tells whose eyes these are.
fn read_seen(rows: &[PgRow]) -> Result<Seen> {
    let eyes = rows.first().map_or(Ok(0), |row| column(row, 7))?;
    let seen = |(Beat { lease, at: beat, .. }, held): (_, Option<_>)| held.map(|held| Sighting { lease, beat, held });
    Ok((eyes, read_others(rows)?.into_iter().filter_map(seen).collect()))
}

/// Each of the other workers, and whether its connections are there, where that can be seen.
fn read_others(rows: &[PgRow]) -> Result<Vec<(Beat, Option<bool>)>> {
    let mut others = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(lease) = column::<Option<i64>, _>(row, 4)? {
            let span = Duration::from_micros(unsigned(column::<i64, _>(row, 8)?));
            others.push((Beat { lease: Lease(lease), at: instant(row, 5)?, span }, column(row, 6)?));
        }
    }
    Ok(others)
}

fn read_outlook(row: &PgRow) -> Result<Outlook> {
    let due = column::<Option<i64>, _>(row, 10)?.map(|micros| Duration::from_micros(unsigned(micros.max(0))));
    let (ready, mark, overdue, lost) = (column(row, 9)?, column(row, 11)?, column(row, 12)?, column(row, 13)?);
    let (now, forgetful) = (instant(row, 14)?, column(row, 16)?);
    Ok(Outlook { ready, due, now, mark, overdue, lapse: None, lost, forgetful })
}

/// The worker's channel. Leases are drawn from 64 bits, so channels of different namespaces don't meet.
fn channel(lease: Lease) -> String {
    format!("pgq_{lease}")
}

impl Pulse for PgPulse {
    fn look(&mut self, look_for: LookFor) -> Answer<'_, (Renewal, Outlook)> {
        Box::pin(self.beat(look_for))
    }

    fn watch(&mut self) -> Answer<'_, Watched> {
        Box::pin(self.look_around())
    }

    fn hears(&self) -> bool {
        matches!(self.voice, Voice::Listening(_))
    }

    fn notice(&mut self) -> Answer<'_, Notice> {
        Box::pin(self.listen())
    }
}
