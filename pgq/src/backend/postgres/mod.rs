//! The PostgreSQL adapter: one verb, one statement, one file in `queries/`.

mod advance;
mod apart;
mod begin;
mod blame;
mod change;
mod conclude;
mod connect;
mod convert;
mod damage;
mod enqueue;
mod enter;
mod extra;
mod finish;
mod gate_looks;
mod gates;
mod limit;
mod link;
mod maintain;
mod migrate;
mod namespace;
mod opening;
mod operate;
mod overrides;
mod paces;
mod park;
mod passed;
#[cfg(test)]
mod plans;
mod probe;
mod pulse;
mod reconcile;
mod refused;
mod schedule;
mod search;
mod session;
mod shelf;
mod sight;
mod stuck_gates;
mod tx;
mod unique;
mod unseen;
mod waits;
mod wake;
mod witness;

use std::sync::Arc;

use pgq_core::NewJob;
use sqlx::{PgConnection, PgPool};

use super::{Answer, Backend, Enqueued, Produce, Registration, Session, Transaction};
use crate::Result;
use crate::platform::Clock;

pub(crate) use blame::database;
pub(crate) use connect::{connect, options};
use link::Link;
pub(crate) use namespace::Namespace;
use namespace::Statements;
pub use tx::TxConnection;
use wake::{Call, shortly};

/// Enqueues on a bare connection, which knows no client.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    namespace: &Namespace,
    poll_only: bool,
    jobs: Vec<NewJob>,
) -> Result<Vec<Enqueued>> {
    enqueue::insert(connection, &namespace.statements(poll_only), &Clock::System, jobs).await
}

/// Jobs in a PostgreSQL database, under one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    link: Link,
    statements: Arc<Statements>,
    clock: Clock,
}

impl Postgres {
    pub(crate) fn new(pool: PgPool, namespace: &Namespace, poll_only: bool, clock: Clock) -> Self {
        let link = if poll_only { Link::poll_only(pool, "begin") } else { Link::direct(pool) };
        Self { link, statements: namespace.statements(poll_only), clock }
    }

    pub(crate) fn is_poll_only(&self) -> bool {
        self.link.is_poll_only()
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.link.pool()
    }

    /// Wakes whoever is meant, after the commit of what there is to do, if there is a connection for that.
    async fn wake(&self, call: &Call) {
        shortly(self.link.wake(&self.statements, &self.clock, call)).await;
    }

    /// Enqueues on a connection or in a transaction of the caller's own.
    pub(crate) async fn insert(&self, connection: &mut PgConnection, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        enqueue::insert(connection, &self.statements, &self.clock, jobs).await
    }
}

impl Backend for Postgres {
    fn register(&self, worker: Registration) -> Answer<'_, Arc<dyn Session>> {
        Box::pin(async move {
            let session = session::PgSession::open(self, worker).await?;
            Ok(Arc::new(session) as Arc<dyn Session>)
        })
    }

    fn self_test(&self) -> Answer<'_, Option<String>> {
        Box::pin(async move { if self.is_poll_only() { Ok(None) } else { probe::self_test(&self.link).await } })
    }
}

impl Produce for Postgres {
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>> {
        Box::pin(enqueue::commit(&self.link, &self.statements, &self.clock, jobs))
    }

    fn begin(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(async move { Ok(Box::new(tx::PgTx::begin(self).await?) as Box<dyn Transaction>) })
    }

    fn begin_attempt(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(async move { Ok(Box::new(tx::PgTx::begin_attempt(self).await?) as Box<dyn Transaction>) })
    }
}
