//! A transaction that jobs and the user's own SQL share.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex as Lock, PoisonError};
use std::time::Duration;

use pgq_core::{Lease, NewJob};
use sqlx::PgConnection;
use tokio::sync::{Mutex, MutexGuard};

use super::conclude::conclude;
use super::convert::{Instant, database};
use super::finish::{Holder, Passed, passed};
use super::gates::leave;
use super::link::{Link, Visit};
use super::wake::{Call, wake};
use super::{Postgres, enqueue};
use crate::backend::{Answer, Ended, Enqueued, Transaction, Verdict};
use crate::error::{Error, Result};
use crate::platform::within;

/// How long to wait for somebody to give a connection back on which to wake somebody.
const MOMENT: Duration = Duration::from_millis(100);
/// How long to wait for a connection that is lent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The mark is gone when the transaction is: so its end knows whether it is still the one that was begun.
const ATTEMPT: &str = "set transaction isolation level read committed; set local pgq.attempt = 'on'";
const LENT: &str = "the connection of this transaction is lent: drop what `tx.conn()` gave before enqueueing, or write \
    `&mut *tx.conn().await?` where it is used, which gives it back at the end of the statement";

pub(super) struct PgTx {
    backend: Postgres,
    // Async, because the lock is held across statements; users share the transaction by reference.
    transaction: Mutex<sqlx::Transaction<'static, sqlx::Postgres>>,
    call: Lock<Call>,
}

impl PgTx {
    pub(super) async fn begin(backend: &Postgres) -> Result<Self> {
        Ok(Self::of(backend, backend.link.begin().await?))
    }

    pub(super) async fn begin_attempt(backend: &Postgres) -> Result<Self> {
        Ok(Self::of(backend, backend.link.begin_with(ATTEMPT).await?))
    }

    fn of(backend: &Postgres, transaction: sqlx::Transaction<'static, sqlx::Postgres>) -> Self {
        Self { backend: backend.clone(), transaction: Mutex::new(transaction), call: Lock::default() }
    }
}

impl Transaction for PgTx {
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>> {
        Box::pin(async move {
            let Postgres { statements, clock, .. } = &self.backend;
            let call = Call::for_jobs(&jobs, clock);
            // Whoever holds what `conn` lent while he enqueues would wait for himself.
            let Some(mut transaction) = within(PATIENCE, self.transaction.lock()).await else {
                return Err(Error::invalid(LENT));
            };
            let enqueued = enqueue::run(&mut transaction, statements, clock, jobs, &Call::nobody()).await?;
            self.call.lock().unwrap_or_else(PoisonError::into_inner).merge(&call);
            Ok(enqueued)
        })
    }

    fn connection(&self) -> Answer<'_, TxConnection<'_>> {
        Box::pin(async move { Ok(TxConnection(self.transaction.lock().await)) })
    }

    fn commit(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            let Self { backend, transaction, call } = *self;
            transaction.into_inner().commit().await.map_err(database)?;
            wake_after(&backend, &call.into_inner().unwrap_or_else(PoisonError::into_inner)).await;
            Ok(())
        })
    }

    fn conclude(self: Box<Self>, lease: Lease, ended: Ended) -> Answer<'static, Verdict> {
        Box::pin(async move {
            let Self { backend, transaction, call } = *self;
            let (mut transaction, mut call) =
                (transaction.into_inner(), call.into_inner().unwrap_or_else(PoisonError::into_inner));
            let left: Vec<Passed> = passed(&ended).collect();
            let (verdict, more) = conclude(&backend, &mut transaction, lease, ended).await?;
            if verdict != Verdict::Written {
                transaction.rollback().await.map_err(database)?;
                return Ok(verdict);
            }
            transaction.commit().await.map_err(database)?;
            call.merge(&more);
            if !left.is_empty() {
                call.merge(&leave_after(&backend, lease, left).await);
            }
            wake_after(&backend, &call).await;
            Ok(verdict)
        })
    }

    fn rollback(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move { self.transaction.into_inner().rollback().await.map_err(database) })
    }
}

/// The transaction stands, so a failure here only delays those who wait for the gates that the job had passed.
async fn leave_after(backend: &Postgres, lease: Lease, left: Vec<Passed>) -> Call {
    let holder = Holder { statements: &backend.statements, lease, now: backend.clock.fixed().map(Instant) };
    leave(&backend.link, &holder, left).await.unwrap_or_else(|error| {
        tracing::warn!(?error, "what waits for the limit keys of a job isn't ready yet");
        Call::nobody()
    })
}

/// The transaction stands, so a failure here only delays its jobs to the next look.
async fn wake_after(backend: &Postgres, call: &Call) {
    if *call == Call::nobody() {
        return;
    }
    let woken = async {
        let Some(mut visit) = visit(&backend.link).await? else { return Ok(()) };
        wake(&mut visit, &backend.statements, &backend.clock, call).await?;
        visit.end().await
    };
    if let Err(error) = woken.await {
        tracing::debug!(?error, "nobody was woken for jobs that were enqueued");
    }
}

/// Not for a place in the queue of a busy pool: the commit stands, and its caller waits for this. Where the pool has room
/// it takes as long as it takes to connect, as otherwise nobody would be woken where that is slow.
async fn visit(link: &Link) -> Result<Option<Visit>> {
    if link.is_used_up() { within(MOMENT, link.visit()).await.transpose() } else { link.visit().await.map(Some) }
}

/// The connection of a [`Tx`](crate::Tx), lent for SQL of one's own until it is dropped: pass `&mut *connection` to sqlx.
pub struct TxConnection<'t>(MutexGuard<'t, sqlx::Transaction<'static, sqlx::Postgres>>);

impl Deref for TxConnection<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for TxConnection<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl fmt::Debug for TxConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxConnection").finish_non_exhaustive()
    }
}
