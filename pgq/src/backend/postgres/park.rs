//! Who comes behind a job that a gate holds up.

use std::collections::BTreeSet;

use pgq_core::crash;
use sqlx::PgConnection;

use super::convert::database;
use super::session::PgSession;
use crate::Result;
use crate::backend::PARKED;

/// A gate that lets nobody through, and of which lane it has held somebody up: gate, queue and task.
pub(super) type Closed = (String, String, String);

impl PgSession {
    /// Parks those who come next in the same lanes before these gates, which are locked: a task of which few run at once would
    /// else claim a backlog of one key by so few at a time, and other keys' jobs wait behind it.
    pub(super) async fn park_next(&self, connection: &mut PgConnection, closed: BTreeSet<Closed>) -> Result<()> {
        if closed.is_empty() {
            return Ok(());
        }
        let of_each = (PARKED / closed.len()).max(1);
        let (mut gates, mut queues, mut tasks) = (vec![], vec![], vec![]);
        for (gate, queue, task) in closed {
            gates.push(gate);
            queues.push(queue);
            tasks.push(task);
        }
        let query = self.statements.park.query().bind(gates).bind(queues).bind(tasks);
        let query = query.bind(i64::try_from(of_each).unwrap_or(i64::MAX)).bind(i32::from(crash::SUSPECT));
        query.execute(connection).await.map(drop).map_err(database)
    }
}
