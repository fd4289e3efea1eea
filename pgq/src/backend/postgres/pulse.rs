//! A worker's sign of life and its ear, on one connection.

use std::sync::Arc;

use pgq_core::{JobId, Lease, Timestamp};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgListener, PgRow};
use sqlx::query::Query;

use super::connect::{pulse_link, unconnected};
use super::convert::{Instant, column, database, instant, unsigned};
use super::link::Link;
use super::namespace::Statements;
use super::session::PgSession;
use super::sight::{Sight, Sighting};
use super::witness::Witness;
use crate::backend::{Answer, Cancelled, Notice, Pulse, Renewal, Watched};
use crate::error::{Error, Kind, Result};
use crate::platform::Clock;

pub(super) struct PgPulse {
    lease: Lease,
    voice: Voice,
    statements: Arc<Statements>,
    clock: Clock,
    sight: Sight,
    /// What the last beat saw, until somebody looks at it.
    seen: Option<Seen>,
    witness: Arc<Witness>,
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
        let link = pulse_link(&session.engine(), session.lease);
        let voice = if link.is_poll_only() {
            Voice::Deaf(link)
        } else {
            let mut listener = match PgListener::connect_with(link.pool()).await {
                Ok(listener) => listener,
                Err(error) => return Err(unconnected(link.pool(), error).await),
            };
            // Whoever lost it has to be told: notices were lost too, and perhaps the server has forgotten something.
            listener.eager_reconnect(false);
            listener.listen(&channel(session.lease)).await.map_err(database)?;
            Voice::Listening(listener)
        };
        let witness = Arc::clone(&session.witness);
        let (statements, clock) = (Arc::clone(&session.statements), session.clock.clone());
        Ok(Self { lease: session.lease, voice, statements, clock, sight: Sight::default(), seen: None, witness })
    }

    async fn beat(&mut self) -> Result<Renewal> {
        let (witness, clock) = (Arc::clone(&self.witness), self.clock.clone());
        let sent = witness.send(&clock);
        let query = self.statements.renew.query().bind(self.lease.0).bind(self.clock.fixed().map(Instant));
        let rows = self.rows(query).await?;
        sent.accepted();
        // What is seen through a pooler was seen through somebody else's connection.
        self.seen = if self.hears() { Some(read_seen(&rows)?) } else { None };
        let mut cancelled = Vec::new();
        for row in &rows {
            if !column::<bool, _>(row, 0)? {
                return Ok(Renewal::Gone);
            }
            if let Some(id) = column::<Option<i64>, _>(row, 1)? {
                let (epoch, why) = (unsigned(column::<i32, _>(row, 2)?), column(row, 3)?);
                cancelled.push(Cancelled { id: JobId(id), epoch, why });
            }
        }
        Ok(Renewal::Alive { cancelled })
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
            Voice::Deaf(link) => link.rows(query).await,
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
    let others = rows.iter().map(read_sighting).filter_map(Result::transpose).collect::<Result<_>>()?;
    Ok((eyes, others))
}

fn read_sighting(row: &PgRow) -> Result<Option<Sighting>> {
    let Some(lease) = column::<Option<i64>, _>(row, 4)? else { return Ok(None) };
    Ok(Some(Sighting { lease: Lease(lease), beat: instant(row, 5)?, held: column(row, 6)? }))
}

/// The worker's channel. Leases are drawn from 64 bits, so channels of different namespaces don't meet.
fn channel(lease: Lease) -> String {
    format!("pgq_{lease}")
}

impl Pulse for PgPulse {
    fn renew(&mut self) -> Answer<'_, Renewal> {
        Box::pin(self.beat())
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
