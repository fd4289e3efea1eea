//! Bringing together what a lease holds and what its worker knows of, after an answer was lost or the server has crashed.

use std::sync::atomic::Ordering;

use pgq_core::JobId;
use sqlx::postgres::PgRow;

use super::convert::{column, database, job_id, unsigned};
use super::session::{PgSession, call_for};
use crate::Result;
use crate::backend::Reconciled;

impl PgSession {
    pub(super) async fn release_others(&self, kept: &[(JobId, u32)]) -> Result<Reconciled> {
        // Committed before all jobs are looked at: until then the worker's own beats wait.
        let mut transaction = self.begin_durable().await?;
        let doubts = self.settle(&mut transaction).await?;
        transaction.commit().await.map_err(database)?;
        self.doubts.store(doubts, Ordering::SeqCst);
        let mut transaction = self.begin_durable().await?;
        let freed = self.release(&mut transaction, kept).await?;
        let forgotten = self.forgotten(&mut transaction, kept).await?;
        transaction.commit().await.map_err(database)?;
        self.call(&call_for(&freed)?).await?;
        self.leave_lost(true).await?;
        Ok(Reconciled { released: unsigned(freed.len()), forgotten })
    }

    async fn forgotten(&self, connection: &mut sqlx::PgConnection, kept: &[(JobId, u32)]) -> Result<Vec<(JobId, u32)>> {
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, epochs) = claims(kept);
        let query = self.statements.forgotten.query().bind(self.lease.0).bind(ids).bind(epochs);
        let rows = query.fetch_all(connection).await.map_err(database)?;
        rows.iter().map(|row| Ok((job_id(row)?, unsigned(column::<i32, _>(row, 1)?)))).collect()
    }

    /// Waits for claims of this worker that are still in flight, so that what follows sees all of them; those that arrive later win
    /// nothing. The count of doubts, from the commit on.
    pub(super) async fn settle(&self, connection: &mut sqlx::PgConnection) -> Result<i32> {
        let query = self.statements.settle.query().bind(self.lease.0);
        let row = query.fetch_optional(connection).await.map_err(database)?;
        row.map_or(Ok(0), |row| column(&row, 0))
    }

    pub(super) async fn release(
        &self,
        connection: &mut sqlx::PgConnection,
        kept: &[(JobId, u32)],
    ) -> Result<Vec<PgRow>> {
        let (ids, epochs) = claims(kept);
        let query = self.statements.release.query().bind(self.lease.0).bind(ids).bind(epochs);
        query.fetch_all(connection).await.map_err(database)
    }
}

/// Claims turned on their side: ids and epochs.
fn claims(claims: &[(JobId, u32)]) -> (Vec<i64>, Vec<i32>) {
    claims.iter().map(|(id, epoch)| (id.0, epoch.cast_signed())).unzip()
}
