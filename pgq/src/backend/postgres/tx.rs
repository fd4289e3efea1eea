//! A transaction that jobs and the user's own SQL share.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex as Lock, PoisonError};
use std::time::Duration;

use pgq_core::{Lease, NewJob};
use sqlx::PgConnection;
use tokio::sync::{Mutex, MutexGuard};

use super::conclude::conclude;
use super::convert::database;
use super::wake::{Call, commit_and_wake};
use super::{Postgres, enqueue};
use crate::backend::{Answer, Ended, Enqueued, Transaction, Verdict};
use crate::error::{Error, Result};
use crate::platform::within;

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
            let call = call.into_inner().unwrap_or_else(PoisonError::into_inner);
            commit_and_wake(transaction.into_inner(), &backend.statements, &backend.clock, &call).await
        })
    }

    fn conclude(self: Box<Self>, lease: Lease, ended: Ended) -> Answer<'static, Verdict> {
        Box::pin(async move {
            let Self { backend, transaction, call } = *self;
            let (mut transaction, mut call) =
                (transaction.into_inner(), call.into_inner().unwrap_or_else(PoisonError::into_inner));
            let (verdict, more) = conclude(&backend, &mut transaction, lease, ended).await?;
            if verdict != Verdict::Written {
                transaction.rollback().await.map_err(database)?;
                return Ok(verdict);
            }
            call.merge(&more);
            commit_and_wake(transaction, &backend.statements, &backend.clock, &call).await?;
            Ok(verdict)
        })
    }

    fn rollback(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move { self.transaction.into_inner().rollback().await.map_err(database) })
    }
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
