//! How statements reach the server: every one of ours goes by a [`Link`], so that one place knows how.
//!
//! ```text
//! direct                             poll-only
//! ──▶ statement, prepared once ──▶   ──▶ begin; set local … ──▶ statement ──▶ commit ──▶
//! ```
//!
//! A direct link has connections to the server, and what is set or prepared on one stays there. A pooler in transaction mode
//! (PgBouncer's is the best known) lends a connection of its own for a transaction at a time: what was set, locked, listened
//! for or prepared outside of one belongs to whoever comes next, and a statement whose parts are sent one after the other,
//! as the driver does, may be answered with the rows of another client's. So a poll-only link has a transaction around every
//! statement, sets what is needed for that, and prepares nothing by name. What a statement doesn't tell it apart from others,
//! its [`Sql`](super::namespace::Sql) does.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, Postgres, Transaction};

use super::begin::begin_with;
use super::connect::{IN_USE, acquire, unconnected};
use super::convert::database;
use super::namespace::Statements;
use super::shelf::Shelf;
use super::wake::{Call, wake};
use crate::error::{Error, Result};
use crate::platform::Clock;

/// A pool, and how statements on its connections are made whole.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pool: PgPool,
    /// How a transaction begins that is around a statement, where there has to be one.
    around: Option<&'static str>,
    /// What it means that none of its connections is free.
    in_use: &'static str,
    /// Where connections stay between two statements.
    shelf: Option<Shelf>,
}

impl Link {
    /// Over connections to the server itself.
    pub(super) fn direct(pool: PgPool) -> Self {
        Self { pool, around: None, in_use: IN_USE, shelf: None }
    }

    /// Over connections to a pooler, perhaps. Every transaction begins by this.
    pub(super) fn poll_only(pool: PgPool, begin: &'static str) -> Self {
        Self { pool, around: Some(begin), in_use: IN_USE, shelf: None }
    }

    /// What it means that none of its connections is free, where they aren't a client's.
    pub(super) fn where_busy(self, in_use: &'static str) -> Self {
        Self { in_use, ..self }
    }

    /// Whose connections stay at hand between two statements: nobody else takes any from its pool.
    pub(super) fn kept(self) -> Self {
        Self { shelf: Some(Shelf::default()), ..self }
    }

    pub(super) fn is_poll_only(&self) -> bool {
        self.around.is_some()
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Where it leads, without what poolers refuse: how floats are written matters to no statement of ours.
    pub(super) fn options(&self) -> PgConnectOptions {
        (*self.pool.connect_options()).clone().extra_float_digits(None)
    }

    /// Does one statement, which is whole by itself; its rows.
    pub(super) async fn rows(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
        let mut visit = self.visit().await?;
        match query.fetch_all(&mut *visit).await {
            Ok(rows) => visit.end().await.map(|()| rows),
            Err(error) => Err(visit.undo(error).await),
        }
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

    /// Wakes whoever is meant, after the commit of what there is to do; whether there were as many as that is for.
    pub(super) async fn wake(&self, statements: &Statements, clock: &Clock, call: &Call) -> Result<bool> {
        if *call == Call::nobody() {
            return Ok(false);
        }
        let mut visit = self.visit().await?;
        let woken = wake(&mut visit, statements, clock, call).await?;
        visit.end().await.map(|()| woken)
    }

    /// A connection for a few statements: over a direct link each stands by itself, over a poll-only one all or none.
    pub(super) async fn visit(&self) -> Result<Visit> {
        match self.around {
            None => Ok(Visit::Direct(self.connection().await?, self.shelf.clone())),
            Some(_) => Ok(Visit::Around(self.begin().await?)),
        }
    }

    /// One that is at hand, or one of the pool.
    pub(super) async fn connection(&self) -> Result<PoolConnection<Postgres>> {
        let _waits = match self.shelf.as_ref().map(Shelf::take) {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(waits)) => Some(waits),
            None => None,
        };
        acquire(&self.pool, self.in_use).await
    }

    /// Why its pool had no connection for somebody who takes them without us.
    pub(super) async fn unconnected(&self, error: sqlx::Error) -> Error {
        unconnected(&self.pool, self.in_use, error).await
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        begin_with(self, self.around.unwrap_or("begin")).await
    }

    /// A transaction for which something else is set.
    pub(super) async fn begin_with(&self, settings: &str) -> Result<Transaction<'static, Postgres>> {
        let begin = self.around.unwrap_or("begin");
        begin_with(self, AssertSqlSafe(format!("{begin}; {settings}"))).await
    }

    pub(super) async fn close(&self) {
        if let Some(shelf) = &self.shelf {
            shelf.clear();
        }
        self.pool.close().await;
    }
}

/// The same of a transaction: it lets go of what it has locked before anything else is done.
pub(super) async fn undone(transaction: Transaction<'static, Postgres>, error: sqlx::Error) -> Error {
    if error.as_database_error().is_some() {
        let _ = transaction.rollback().await;
    }
    database(error)
}

/// A connection for a few statements. What they did stands once it has [ended](Visit::end).
#[must_use = "over a pooler nothing stands before it has ended"]
pub(super) enum Visit {
    Direct(PoolConnection<Postgres>, Option<Shelf>),
    Around(Transaction<'static, Postgres>),
}

impl Visit {
    pub(super) async fn end(self) -> Result<()> {
        match self {
            Self::Direct(connection, kept) => {
                if let Some(shelf) = kept {
                    shelf.put(connection);
                }
                Ok(())
            }
            Self::Around(transaction) => transaction.commit().await.map_err(database),
        }
    }

    /// Waits until nothing is left of a statement that was refused: the server says so before it lets go of the rows.
    async fn undo(self, error: sqlx::Error) -> Error {
        match self {
            Self::Direct(mut connection, _) if error.as_database_error().is_some() => {
                // An error of this one is told by the next statement.
                let _ = connection.ping().await;
                database(error)
            }
            Self::Direct(..) => database(error),
            Self::Around(transaction) => undone(transaction, error).await,
        }
    }
}

impl Deref for Visit {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Direct(connection, _) => connection,
            Self::Around(transaction) => transaction,
        }
    }
}

impl DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Direct(connection, _) => connection,
            Self::Around(transaction) => transaction,
        }
    }
}
