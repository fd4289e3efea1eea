//! Connections of a pool that stay at hand between two statements.
//!
//! Whatever goes back to a pool of the driver's is asked first whether it still answers, by a task of its own: a trip to the server
//! after each statement, and whoever comes next waits for it. A connection that a statement has left as it was needs no such
//! question, so it is laid on the shelf. One that was dropped in the middle of something, or on which something failed, goes back to the pool.
//!
//! The pool knows nothing of the shelf, and wakes those who wait for what comes back to it. So while somebody waits everything goes
//! back, and nobody begins to wait while something lies here: both are decided under one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::Postgres;
use sqlx::pool::PoolConnection;

#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(Arc<Laid>);

#[derive(Debug, Default)]
struct Laid(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// They take turns, as one that lies for long may be cut off on its way without a word.
    connections: VecDeque<PoolConnection<Postgres>>,
    /// How many wait for the pool.
    waiting: usize,
    /// Nothing is laid here any more.
    closed: bool,
}

/// Somebody waits for the pool, until this is dropped.
#[derive(Debug)]
pub(super) struct Waits<'s>(&'s Shelf);

impl Shelf {
    /// A connection, or leave to wait for the pool.
    pub(super) fn take(&self) -> Result<PoolConnection<Postgres>, Waits<'_>> {
        let mut state = self.state();
        state.connections.pop_front().ok_or_else(|| {
            state.waiting += 1;
            Waits(self)
        })
    }

    /// Keeps one at hand that nothing is left on.
    pub(super) fn put(&self, connection: PoolConnection<Postgres>) {
        let mut state = self.state();
        if state.waiting == 0 && !state.closed {
            state.connections.push_back(connection);
        }
    }

    /// Gives all back to their pool, also what comes later.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.closed = true;
        state.connections.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nobody has the pool any more, and perhaps there is no runtime to go back to it in.
        state.connections.drain(..).for_each(|connection| drop(connection.leak()));
    }
}

#[cfg(test)]
mod tests {
    use pgq_testdb::Database;
    use sqlx::postgres::PgPoolOptions;

    use super::super::link::Link;
    use super::super::namespace::once;
    use crate::platform::spawn;

    /// Over so many connections, which stay at hand.
    fn link(database: &Database, connections: u32) -> Link {
        let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
        Link::direct(pool.connect_lazy_with(database.options())).kept()
    }

    #[tokio::test]
    async fn what_a_statement_has_left_as_it_was_is_at_hand_for_the_next_one() {
        let database = Database::create().await.unwrap();
        let link = link(&database, 2);
        for _ in 0..3 {
            link.rows(once("select 1")).await.unwrap();
            assert_eq!((link.pool().size(), link.pool().num_idle()), (1, 0));
        }
    }

    #[tokio::test]
    async fn who_waits_gets_what_comes_back_next() {
        let database = Database::create().await.unwrap();
        let link = link(&database, 1);
        let (first, later) = (link.visit().await.unwrap(), link.clone());
        let mut waits = spawn(async move { later.rows(once("select 1")).await.map(drop) });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        first.end().await.unwrap();
        (&mut waits).await.unwrap().unwrap();
        // Who has given up waiting doesn't count.
        let (second, later) = (link.visit().await.unwrap(), link.clone());
        let waits = spawn(async move { later.visit().await.map(drop) });
        tokio::task::yield_now().await;
        waits.abort();
        assert!(waits.await.is_err());
        second.end().await.unwrap();
        assert_eq!(link.pool().num_idle(), 0);
    }

    #[tokio::test]
    async fn a_link_that_was_closed_keeps_nothing() {
        let database = Database::create().await.unwrap();
        let link = link(&database, 2);
        let (open, other) = (link.visit().await.unwrap(), link.visit().await.unwrap());
        other.end().await.unwrap();
        let closing = link.close();
        tokio::join!(closing, async { open.end().await.unwrap() });
        assert_eq!(link.pool().size(), 0);
    }

    #[test]
    fn a_link_is_dropped_without_a_runtime_too() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (link, database) = runtime.block_on(async {
            let database = Database::create().await.unwrap();
            let link = link(&database, 1);
            link.rows(once("select 1")).await.unwrap();
            (link, database)
        });
        drop(runtime);
        drop((link, database));
    }
}
