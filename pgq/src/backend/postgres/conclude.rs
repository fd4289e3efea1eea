//! The last deed of a transaction that a handler wrote in: its job is completed, and both are committed.
//!
//! ```text
//! begun ──▶ the handler writes ──▶ pins ──▶ follow-ups ──▶ fenced end ──▶ commit
//! ```
//!
//! - The worker dies, or the link breaks, before the commit: the server rolls back, and the job runs again when its lease is
//!   freed.
//! - The answer to the commit is lost: it may stand or not. The end is then written once more, as that of an attempt that
//!   failed, by the fence of the same claim: if the commit stands the row is gone, and if it is still under way the row is
//!   locked, so that it is looked at again.
//! - The worker was declared gone: the row is free or another's, the fence fails, all is rolled back. Rescue can't free a row
//!   between the end and the commit, since that holds its lock.
//!
//! What the job has passed of limits by key goes with the ends of others (`completer.rs`): the handlers' pool may have no connection
//! for it.

use std::time::Duration;

use pgq_core::Lease;
use sqlx::postgres::PgRow;
use sqlx::{Executor, Postgres, Row, Transaction, raw_sql};

use super::convert::{Instant, database};
use super::finish::{Holder, end, verdicts};
use super::{Postgres as Backend, enqueue};
use crate::backend::postgres::wake::Call;
use crate::backend::{Ended, Verdict};
use crate::error::{Error, Kind, Result};
use crate::platform::pause;

/// The connection is of the handlers' pool, where plans aren't pinned. A commit that the server may forget would be no
/// promise; one that waits for more than the disk stays as it is. Whether the transaction is still the attempt's is asked in the
/// same round trip.
const PINS: &str = "
    set local enable_seqscan = off;
    set local enable_bitmapscan = off;
    set local jit = off;
    select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off';
    select current_setting('pgq.attempt', true)";
/// When to look again at a row that somebody has locked, and how often.
const BUSY: Duration = Duration::from_millis(5);
const LOOKS: u32 = 200;
/// PostgreSQL's `in_failed_sql_transaction`.
const FAILED: &str = "25P02";

/// Writes the end within the transaction; who is woken once it is committed.
pub(super) async fn conclude(
    backend: &Backend,
    transaction: &mut Transaction<'static, Postgres>,
    lease: Lease,
    mut ended: Ended,
) -> Result<(Verdict, Call)> {
    let rows = transaction.fetch_all(raw_sql(PINS)).await.map_err(unless_failed)?;
    unless_ended(rows.last())?;
    let jobs = std::mem::take(&mut ended.follow_ups);
    let (parent, call) = (ended.id, Call::for_jobs(&jobs, &backend.clock));
    let enqueued = enqueue::run(transaction, &backend.statements, &backend.clock, jobs, &Call::nobody()).await?;
    let holder = Holder { statements: &backend.statements, lease, now: backend.clock.fixed().map(Instant) };
    let verdict = write(&holder, transaction, &ended).await?;
    if verdict == Verdict::Written {
        for enqueued in enqueued {
            enqueued.warn_of_rejection(parent);
        }
    }
    Ok((verdict, call))
}

/// Waits for nobody's lock, but looks again: a claim in flight holds stray ones.
async fn write(
    holder: &Holder<'_>,
    transaction: &mut Transaction<'static, Postgres>,
    ended: &Ended,
) -> Result<Verdict> {
    for _ in 0..LOOKS {
        let written = end(holder, transaction, &[ended]).await?;
        match verdicts(holder, transaction, &[(ended.id, ended.epoch)], &written).await?.pop() {
            Some(Verdict::Busy) => pause(BUSY).await,
            verdict => return Ok(verdict.unwrap_or(Verdict::Lost)),
        }
    }
    Ok(Verdict::Busy)
}

fn unless_failed(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.is_none_or(|code| code != FAILED) {
        return database(error);
    }
    let message = "a statement on the attempt's transaction failed and the handler went on without its error: nothing of \
        it can be committed; hand the error on with `?`, or put what may fail into a savepoint";
    Error::new(Kind::Database, message)
}

/// Outside of the transaction that was begun for the attempt, its end would stand by itself.
fn unless_ended(mark: Option<&PgRow>) -> Result<()> {
    let mark: Option<String> = mark.map(|row| row.try_get(0)).transpose().map_err(database)?.flatten();
    if mark.is_some_and(|mark| mark == "on") {
        return Ok(());
    }
    let message = "the handler ended the attempt's transaction itself (commit or rollback): what it wrote before may stand; \
        leave ending it to the job's completion, or use savepoints";
    Err(Error::new(Kind::Database, message))
}
