//! A transaction that jobs and SQL of one's own share, on either backend.

use std::fmt;

use pgq_core::Lease;

use super::outgoing::Gate;
use crate::Result;
use crate::backend::postgres::TxConnection;
use crate::backend::{Ended, Transaction, Verdict};

/// A transaction of a [`Client`](crate::Client): jobs enqueued on it exist once it is committed, and never did if it is
/// rolled back or dropped.
///
/// It is shared by reference, so that several parts of a program can enqueue on it, and committed by value, so that none
/// of them can.
///
/// A task that takes one gets that in which its job will be completed, so that what it writes there is written once:
///
/// ```
/// # #[pgq::task]
/// # async fn send_receipt(order: i64) -> Result<(), pgq::BoxError> { let _ = order; Ok(()) }
/// #[pgq::task]
/// async fn charge(tx: &pgq::Tx, order: i64) -> Result<(), pgq::BoxError> {
///     let charge = pgq::sqlx::query("update orders set charged = true where id = $1").bind(order);
///     charge.execute(&mut *tx.conn().await?).await?;
///     send_receipt::enqueue(tx, order).await?;
///     Ok(())
/// }
/// ```
pub struct Tx {
    transaction: Box<dyn Transaction>,
    gate: Gate,
}

impl Tx {
    pub(super) fn new(transaction: Box<dyn Transaction>, gate: Gate) -> Self {
        Self { transaction, gate }
    }

    /// Lends the connection for SQL of one's own: `sqlx::query("…").execute(&mut *tx.conn().await?)`, which gives it back at
    /// the end of the statement.
    ///
    /// Through a pooler, `sqlx::query("…").persistent(false)`: see [`ClientBuilder::poll_only`](crate::ClientBuilder::poll_only).
    ///
    /// **Don't keep it in a variable across an enqueue on the same transaction**: that waits until the connection is given
    /// back, and gives up with an error after ten seconds.
    ///
    /// A transaction that a task was given is ended by the completion of its job: savepoints are the handler's own, a `commit` or
    /// `rollback` by SQL fails the attempt.
    ///
    /// # Errors
    /// On the in-memory backend, which has no SQL: [`is_unsupported`](crate::Error::is_unsupported).
    pub async fn conn(&self) -> Result<TxConnection<'_>> {
        self.transaction.connection().await
    }

    /// Makes it so, and wakes the workers that can run the new jobs.
    ///
    /// # Errors
    /// The database refused, or can't be reached; in the latter case the commit may stand or not.
    pub async fn commit(self) -> Result<()> {
        self.transaction.commit().await
    }

    /// As if nothing had been. Dropping does the same, at the connection's next use.
    ///
    /// # Errors
    /// The database can't be reached; it rolls back by itself then.
    pub async fn rollback(self) -> Result<()> {
        self.transaction.rollback().await
    }

    /// Completes a job as its last deed, and commits both, unless the job is no longer that claim's.
    pub(crate) async fn conclude(self, lease: Lease, ended: Ended) -> Result<Verdict> {
        self.transaction.conclude(lease, ended).await
    }

    pub(super) fn transaction(&self) -> &dyn Transaction {
        &*self.transaction
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}
