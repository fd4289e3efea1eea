//! Whether the server keeps for us what a worker's session rests on: that its connection is one, and that it is heard.
//!
//! A pooler in transaction mode takes LISTEN without a word and never delivers; what is set or locked goes to other clients.
//! A worker that went on would look well and be wrong, so it asks first, on two connections:
//!
//! ```text
//! ear:    whose am I? ─────────────────────▶ and now? ───────────▶ and now? ──▶ … ──▶ listen ──────────▶ is it heard?
//! mouth:               begin; whose am I? ──────────▶ rollback ────────────▶ … ───────────▶ notify ──▶
//! ```
//!
//! Two connections to the server itself are of two of its processes, and each stays of one. A pooler lends whichever process
//! is idle to the transaction that comes next, mostly the one that became so last, or else takes turns: one of the answers
//! differs.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, raw_sql};

use super::blame::connecting;
use super::connect::{CONNECT_TIMEOUT, IN_USE, unconnected};
use super::convert::{column, database};
use super::link::Link;
use crate::error::{Error, Kind, Result};
use crate::platform::within;

/// How long a pool tries to get a connection that others have just got: before it is asked why it hasn't.
const ONE_OF_POOL: Duration = Duration::from_secs(5);

/// How long a notice may take before somebody is told: on a server that isn't overloaded it takes a millisecond.
const MOMENT: Duration = Duration::from_secs(2);

/// How often the same is asked: what others do meanwhile may lead astray once.
const ROUNDS: u32 = 3;

const POOLED: &str = "the connection leads to a pooler in transaction mode, such as PgBouncer, not to PostgreSQL itself: LISTEN \
    is never answered through it, and what a session sets or locks is lost or somebody else's; run the worker with --poll-only \
    (PGQ_POLL_ONLY=1, `ClientBuilder::poll_only`), or name the server itself in its URL";

const UNHEARD: &str = "LISTEN is taken, but a notice wasn't delivered within 2 s: new jobs may only be found by looking, every \
    second; if a pooler such as PgBouncer is in between, run the worker with --poll-only (PGQ_POLL_ONLY=1, \
    `ClientBuilder::poll_only`), or name the server itself in its URL";

/// An error where connections don't lead to the server itself; words of warning where only notices don't come.
pub(super) async fn self_test(link: &Link) -> Result<Option<String>> {
    let tested = within(CONNECT_TIMEOUT, test(link)).await;
    tested.unwrap_or_else(|| {
        Err(Error::new(Kind::Unreachable, "the database gave no answer to the test of a connection"))
    })
}

async fn test(link: &Link) -> Result<Option<String>> {
    let options = link.options();
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ONE_OF_POOL);
    let pool = pool.connect_lazy_with(options.clone());
    // Not by the pool, which would try again and again before it says that there is no server.
    let mut mouth = options.connect().await.map_err(|error| connecting(&options, error))?;
    // A worker has three: with room for fewer it would begin, and then not get on.
    let third = options.connect().await.map_err(|error| connecting(&options, error))?;
    let mut ear = match PgListener::connect_with(&pool).await {
        Ok(ear) => ear,
        Err(error) => return Err(unconnected(&pool, IN_USE, error).await),
    };
    let _ = third.close().await;
    if !are_two_sessions(&mut ear, &mut mouth).await? {
        return Err(Error::new(Kind::Pooled, POOLED));
    }
    let heard = hear(&mut ear, &mut mouth).await;
    // Whatever is left open ends with its connection. There may be room for no more than a worker needs.
    drop(ear);
    pool.close().await;
    let _ = mouth.close().await;
    heard
}

async fn are_two_sessions(ear: &mut PgListener, mouth: &mut PgConnection) -> Result<bool> {
    let (ears, mouths) = (process(&mut *ear).await?, process(&mut *mouth).await?);
    // Before anything waits for it: there may be only one to be lent.
    if ears == mouths {
        return Ok(false);
    }
    for _ in 0..ROUNDS {
        // A simple query, as all here: nothing is prepared, and the transaction keeps the process that it got.
        mouth.execute(raw_sql("begin")).await.map_err(database)?;
        let seen = [process(&mut *ear).await?, process(&mut *mouth).await?];
        mouth.execute(raw_sql("rollback")).await.map_err(database)?;
        if seen != [ears, mouths] || process(&mut *ear).await? != ears {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The number of the server's process that answers.
async fn process(connection: impl Executor<'_, Database = Postgres>) -> Result<i32> {
    let row = connection.fetch_one(raw_sql("select pg_backend_pid()")).await.map_err(database)?;
    column(&row, 0)
}

async fn hear(ear: &mut PgListener, mouth: &mut PgConnection) -> Result<Option<String>> {
    // Nobody else's: no two processes that live have one number.
    let channel = format!("pgq_test_{}", process(&mut *mouth).await?);
    ear.listen(&channel).await.map_err(database)?;
    let notify = AssertSqlSafe(format!("notify \"{channel}\""));
    mouth.execute(raw_sql(notify)).await.map_err(|error| match error {
        // It was told what the other one listens for.
        sqlx::Error::Protocol(_) => Error::new(Kind::Pooled, POOLED).because(error),
        error => database(error),
    })?;
    if let Some(heard) = within(MOMENT, ear.recv()).await {
        return heard.map(|_| None).map_err(database);
    }
    // No proof: the server may be overloaded. Nothing goes wrong by it, as whoever hears nothing looks by itself.
    Ok(Some(UNHEARD.to_owned()))
}
