//! How statements reach the server: every one of ours goes by a [`Link`], so that one place knows how.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};

use super::begin::begin_with;
use super::convert::database;
use super::namespace::Statements;
use super::wake::{Call, wake};
use crate::error::Result;
use crate::platform::Clock;

/// A pool, and how statements on its connections are made whole.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pool: PgPool,
}

impl Link {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Where it leads.
    pub(super) fn options(&self) -> Arc<PgConnectOptions> {
        self.pool.connect_options()
    }

    /// Does one statement, which is whole by itself; its rows.
    pub(super) async fn rows(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
        let mut visit = self.visit().await?;
        let rows = query.fetch_all(&mut *visit).await.map_err(database)?;
        visit.end().await?;
        Ok(rows)
    }

    /// The same, of a statement that has one row.
    pub(super) async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow> {
        let mut visit = self.visit().await?;
        let row = query.fetch_one(&mut *visit).await.map_err(database)?;
        visit.end().await?;
        Ok(row)
    }

    /// The same; how many rows were touched.
    pub(super) async fn run(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64> {
        let mut visit = self.visit().await?;
        let done = query.execute(&mut *visit).await.map_err(database)?;
        visit.end().await?;
        Ok(done.rows_affected())
    }

    /// Wakes whoever is meant, after the commit of what there is to do.
    pub(super) async fn wake(&self, statements: &Statements, clock: &Clock, call: &Call) -> Result<()> {
        if *call == Call::nobody() {
            return Ok(());
        }
        let mut visit = self.visit().await?;
        wake(&mut visit, statements, clock, call).await?;
        visit.end().await
    }

    /// A connection for several statements, each of which is whole by itself.
    pub(super) async fn visit(&self) -> Result<Visit> {
        Ok(Visit(self.pool.acquire().await.map_err(database)?))
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        begin_with(&self.pool, "begin").await
    }

    /// A transaction for which something else is set.
    pub(super) async fn begin_with(&self, settings: &str) -> Result<Transaction<'static, Postgres>> {
        begin_with(&self.pool, AssertSqlSafe(format!("begin; {settings}"))).await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection for a few statements. What they did counts on once it has [ended](Visit::end).
#[must_use = "what was done counts on once it has ended"]
pub(super) struct Visit(PoolConnection<Postgres>);

impl Visit {
    #[expect(clippy::unused_async, reason = "not every link's statements are whole before")]
    pub(super) async fn end(self) -> Result<()> {
        Ok(())
    }
}

impl Deref for Visit {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
