//! The baseline: the bare statements of the storage design on sqlx, without a library around them.

mod drain;

use std::ops::Range;

use anyhow::Result;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, Executor, PgConnection, PgExecutor, Row};

pub(crate) use drain::drain;

use crate::payload;

const CLAIM: &str = include_str!("claim.sql");
const FINISH: &str = include_str!("finish.sql");
const ENQUEUE: &str = include_str!("enqueue.sql");
const ENQUEUE_SILENTLY: &str = include_str!("enqueue_silently.sql");

/// How many jobs a claim asks for.
const CLAIMED: u32 = 500;
/// How many claims a finish deletes the jobs of: 1,000 jobs, as many as pgq's own at most.
const FINISHED: usize = 2;
const LEASE: i64 = 1;
const QUEUE: &str = "default";
const TASK: &str = "noop";

/// What pgq sets on the connections of its workers.
const SETTINGS: &str = "
    set enable_seqscan = off;
    set enable_bitmapscan = off;
    set jit = off;
    set plan_cache_mode = force_generic_plan;
    set default_transaction_isolation = 'read committed';
    set statement_timeout = '60s';
    set lock_timeout = '10s';
    set idle_in_transaction_session_timeout = '60s';
    set synchronous_commit = off";

/// A connection set up as a worker's.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut connection = options.connect().await?;
    connection.execute(SETTINGS).await?;
    Ok(connection)
}

/// Inserts the jobs of these numbers with a payload of so many bytes, by one statement.
pub(crate) async fn enqueue(connection: impl PgExecutor<'_>, numbers: Range<u32>, bytes: usize) -> Result<()> {
    let payloads: Vec<_> = numbers.map(|number| payload::encoded(number, bytes)).collect::<Result<_>>()?;
    let count = payloads.len();
    let query = sqlx::query(ENQUEUE).bind(vec![QUEUE; count]).bind(vec![TASK; count]).bind(vec![0_i16; count]);
    // No value of a type that needs a feature of sqlx: all the instants are null, and so text serves as well.
    let query = query.bind(None::<Vec<String>>).bind(vec![20_i16; count]).bind(vec![0_i16; count]);
    query.bind(payloads).fetch_all(connection).await?;
    Ok(())
}

/// Inserts one job into pgq's own table, where nobody is asked whether he sleeps.
pub(crate) async fn enqueue_silently(connection: impl PgExecutor<'_>, bytes: usize) -> Result<()> {
    let query = sqlx::query(ENQUEUE_SILENTLY).bind(QUEUE).bind(TASK).bind(0_i16).bind(20_i16).bind(0_i16);
    query.bind(payload::encoded(0, bytes)?).fetch_one(connection).await?;
    Ok(())
}

/// A job that was claimed, as far as the baseline reads it.
pub(crate) struct Claimed {
    id: i64,
    epoch: i32,
}

/// Claims up to `limit` jobs.
pub(crate) async fn claim(connection: impl PgExecutor<'_>, limit: u32) -> Result<Vec<Claimed>> {
    let limit = i64::from(limit);
    let query = sqlx::query(CLAIM).bind(LEASE).bind([QUEUE]).bind([TASK]).bind([limit]).bind(limit);
    query.fetch_all(connection).await?.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Claimed> {
    // Whoever runs the job needs its payload, so it is looked at.
    let _: &[u8] = row.try_get("payload")?;
    Ok(Claimed { id: row.try_get(0)?, epoch: row.try_get(1)? })
}

/// Deletes jobs that were claimed.
pub(crate) async fn finish(connection: impl PgExecutor<'_>, jobs: &[Claimed]) -> Result<usize> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
    let epochs: Vec<i32> = jobs.iter().map(|job| job.epoch).collect();
    Ok(sqlx::query(FINISH).bind(LEASE).bind(ids).bind(epochs).fetch_all(connection).await?.len())
}
