//! A worker's sign of life and its ear, on one connection.

use std::sync::Arc;

use pgq_core::{JobId, Lease};
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::connect::CONNECT_TIMEOUT;
use super::convert::{Instant, column, database, unsigned};
use super::namespace::Statements;
use super::session::PgSession;
use crate::Result;
use crate::backend::{Answer, Cancelled, Notice, Pulse, Renewal};
use crate::platform::Clock;

pub(super) struct PgPulse {
    lease: Lease,
    listener: PgListener,
    statements: Arc<Statements>,
    clock: Clock,
}

impl PgPulse {
    /// LISTEN comes first, before any claim can decide that there is nothing to do: a notice in between would be lost.
    pub(super) async fn open(session: &PgSession) -> Result<Self> {
        let options = (*session.engine.connect_options()).clone();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await.map_err(database)?;
        listener.listen(&channel(session.lease)).await.map_err(database)?;
        let (statements, clock) = (Arc::clone(&session.statements), session.clock.clone());
        Ok(Self { lease: session.lease, listener, statements, clock })
    }

    async fn beat(&mut self) -> Result<Renewal> {
        let query = self.statements.renew.query().bind(self.lease.0).bind(self.clock.fixed().map(Instant));
        let rows = query.fetch_all(&mut self.listener).await.map_err(database)?;
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

    async fn listen(&mut self) -> Result<Notice> {
        let Some(first) = self.listener.try_recv().await.map_err(database)? else { return Ok(Notice::ALL) };
        let mut notice = super::wake::notice(first.payload());
        while let Some(next) = self.listener.next_buffered() {
            notice = notice.and(super::wake::notice(next.payload()));
        }
        Ok(notice)
    }
}

/// The worker's channel. Leases are drawn from 64 bits, so channels of different namespaces don't meet.
fn channel(lease: Lease) -> String {
    format!("pgq_{lease}")
}

impl Pulse for PgPulse {
    fn renew(&mut self) -> Answer<'_, Renewal> {
        Box::pin(self.beat())
    }

    fn notice(&mut self) -> Answer<'_, Notice> {
        Box::pin(self.listen())
    }
}
