//! Connections: how one is described, and how the engine's own are set up.

use std::ffi::OsStr;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use pgq_core::Lease;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres};

use super::blame::{connecting, database};
use super::link::Link;
use crate::error::{Error, Kind, Result};
use crate::platform::within;

/// Options from a URL (`postgres://user:password@host/database`), or from PGHOST and its like where there is none.
pub(crate) fn options(url: Option<&str>) -> Result<PgConnectOptions> {
    let options = match url {
        // The parser's own message could quote the URL, and with it a password.
        Some(url) => {
            let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
            url.parse::<PgConnectOptions>().ok().filter(|_| known).ok_or_else(|| Error::invalid(EXPECTED_URL))?
        }
        None => PgConnectOptions::new(),
    };
    // Poolers refuse what they don't know of a connection's start. Since PostgreSQL 12 floats are exact without it.
    Ok(named(options.extra_float_digits(None), NAME))
}

/// What the server calls the connections of a client.
const NAME: &str = "pgq";
/// So many bytes of a name are kept.
const LONGEST_NAME: usize = 63;

/// Says who it is, unless somebody has named it.
fn named(options: PgConnectOptions, name: &str) -> PgConnectOptions {
    let other = |name: &str| name != NAME;
    let theirs = options.get_application_name().is_some_and(other)
        || options.get_options().is_some_and(|options| options.contains("application_name"));
    if theirs { options } else { options.application_name(&name[..name.floor_char_boundary(LONGEST_NAME)]) }
}

/// What the server calls the connections of a worker: by the program that it is in.
fn worker_name() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_stem).map(OsStr::to_string_lossy);
    program.map_or_else(|| format!("{NAME} worker"), |program| format!("{NAME} worker {program}"))
}

const EXPECTED_URL: &str = "expected a database URL such as postgres://user:password@host:5432/database";

/// A client's pool, once a first connection has shown that there is a server: the pool's own way to connect tries again
/// for half a minute before it says that there is none.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgPool> {
    let first = within(CONNECT_TIMEOUT, options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    first.map_err(|error| connecting(options, error))?.close().await.map_err(database)?;
    Ok(PgPoolOptions::new().max_connections(10).connect_lazy_with(options.clone()))
}

/// How long to wait for a server before saying that it can't be reached.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one more try may take, which only asks why there is no connection.
const ONE_MORE: Duration = Duration::from_secs(1);

macro_rules! engine_settings {
    ($scope:literal) => {
        concat!(
            "set ",
            $scope,
            "enable_seqscan = off; ",
            "set ",
            $scope,
            "enable_bitmapscan = off; ",
            "set ",
            $scope,
            "jit = off; ",
            "set ",
            $scope,
            "plan_cache_mode = force_generic_plan; ",
            "set ",
            $scope,
            "default_transaction_isolation = 'read committed'; ",
            "set ",
            $scope,
            "statement_timeout = '60s'; ",
            "set ",
            $scope,
            "lock_timeout = '10s'; ",
            "set ",
            $scope,
            "idle_in_transaction_session_timeout = '3s'",
        )
    };
}

/// Plans are pinned: a queue is often analysed while it is empty, and the plan that is cached then costs 150 ms a claim
/// later. A claim under REPEATABLE READ, should that be somebody's default, fails with 40001. Whoever freezes between two
/// statements of a transaction has rows locked, its own worker's among them, by which it would be declared gone: the server ends
/// that soon.
pub(super) const ENGINE_SETTINGS: &str = engine_settings!("");

/// A beat looks for jobs too, and its plan is cached as long. Beats of several workers under SERIALIZABLE, should that be
/// somebody's default, fail with 40001: each reads what the others write.
const PULSE_SETTINGS: &str = "set enable_seqscan = off; set enable_bitmapscan = off; set jit = off; \
                              set plan_cache_mode = force_generic_plan; \
                              set default_transaction_isolation = 'read committed'";

/// The same for a transaction alone, which begins by it.
const ENGINE_BEGIN: &str = concat!("begin isolation level read committed; ", engine_settings!("local "));

/// A claim or finish that a crash of the server takes back is claimed or finished again, so neither waits for the disk, unless
/// that is wished.
const FORGETFUL_SETTINGS: &str = concat!(engine_settings!(""), "; set synchronous_commit = off");
const FORGETFUL_BEGIN: &str = concat!(
    "begin isolation level read committed; ",
    engine_settings!("local "),
    "; set local synchronous_commit = off"
);

/// The engine's own connections: one to claim on, one to finish and maintain on.
pub(super) fn engine_link(like: &Link, lease: Lease, synchronous_commit: bool) -> Link {
    let (settings, begin) =
        if synchronous_commit { (ENGINE_SETTINGS, ENGINE_BEGIN) } else { (FORGETFUL_SETTINGS, FORGETFUL_BEGIN) };
    own_link(like, lease, 2, settings, begin).kept()
}

/// A connection that lives as long as the worker, with this lease, does, and whose statements may take so long.
pub(super) fn pulse_link(like: &Link, lease: Lease, most: Duration) -> Link {
    own_link(
        like,
        lease,
        1,
        &format!("{PULSE_SETTINGS}; set statement_timeout = {}", most.as_millis()),
        FORGETFUL_BEGIN,
    )
}

/// The same for a transaction.
pub(super) fn at_most(span: Duration) -> String {
    format!("set local statement_timeout = {}", span.as_millis())
}

fn own_link(like: &Link, lease: Lease, connections: u32, settings: &str, begin: &'static str) -> Link {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        // A broken connection shows itself in the statement, which is tried again; a ping would double the trips.
        .test_before_acquire(false);
    let options = named(like.options(), &worker_name());
    if like.is_poll_only() {
        return Link::poll_only(pool.connect_lazy_with(options), begin).where_busy(SILENT);
    }
    let set_up = format!("{settings}; {}", presence(lease));
    let pool = pool.after_connect(move |connection, _| prepare(connection, set_up.clone()));
    Link::direct(pool.connect_lazy_with(options)).where_busy(SILENT)
}

/// While a connection lives, its worker is seen to be there.
fn presence(lease: Lease) -> String {
    format!("select pg_advisory_lock_shared({})", lease.0)
}

fn prepare(connection: &mut PgConnection, set_up: String) -> BoxFuture<'_, sqlx::Result<()>> {
    Box::pin(async move { connection.execute(sqlx::raw_sql(AssertSqlSafe(set_up))).await.map(drop) })
}

type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// What it means that no connection of a client's pool is free.
pub(super) const IN_USE: &str = "no connection of the pool was free in time, though the server gives one: all are in use, or handlers \
    that block hold up the runtime";
/// The same of the engine's own, on which nobody else's statements are.
const SILENT: &str = "no connection of the worker's own was free in time, though the server gives others: statements on them got no answer \
    for so long";

/// A connection of a pool. It tries again for as long as it may, and says then that it took too long: one more try, of ours, tells why.
pub(super) async fn acquire(pool: &PgPool, in_use: &'static str) -> Result<PoolConnection<Postgres>> {
    match pool.acquire().await {
        Ok(connection) => Ok(connection),
        Err(error) => Err(unconnected(pool, in_use, error).await),
    }
}

/// Why a pool has no connection for us.
pub(super) async fn unconnected(pool: &PgPool, in_use: &'static str, error: sqlx::Error) -> Error {
    let options = pool.connect_options();
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return connecting(&options, error);
    }
    match within(ONE_MORE, options.connect()).await {
        Some(Err(why)) => connecting(&options, why),
        Some(Ok(_)) => Error::new(Kind::Unreachable, in_use).because(error),
        None => database(error),
    }
}

#[cfg(test)]
mod tests {
    use pgq_testdb::Database;

    use super::super::convert::column;
    use super::super::namespace::once;
    use super::*;

    #[tokio::test]
    async fn claims_and_ends_wait_for_the_disk_where_that_is_wished() {
        let database = Database::create().await.unwrap();
        let options = database.options().options([("synchronous_commit", "local")]);
        let pool = PgPoolOptions::new().connect_lazy_with(options);
        for like in [Link::direct(pool.clone()), Link::poll_only(pool, "begin")] {
            for (wished, expected) in [(true, "local"), (false, "off")] {
                let row = engine_link(&like, Lease(7), wished).row(once("show synchronous_commit")).await.unwrap();
                assert_eq!(column::<String, _>(&row, 0).unwrap(), expected);
            }
        }
    }

    #[tokio::test]
    async fn an_own_connection_that_gives_no_answer_is_blamed_on_no_handler() {
        let database = Database::create().await.unwrap();
        let like = Link::direct(PgPoolOptions::new().connect_lazy_with(database.options()));
        for own in [engine_link(&like, Lease(7), false), pulse_link(&like, Lease(7), CONNECT_TIMEOUT)] {
            let error = own.unconnected(sqlx::Error::PoolTimedOut).await;
            assert!(error.timed_out() && error.to_string() == SILENT, "{error:?}");
        }
        assert_eq!(like.unconnected(sqlx::Error::PoolTimedOut).await.to_string(), IN_USE);
    }
}
