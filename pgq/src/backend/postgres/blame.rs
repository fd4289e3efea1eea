//! What an error of the server's or the driver's says, and of whom: each becomes one of ours here, and nowhere else.
//!
//! ```text
//! before a statement: by `connecting`          nobody's: there is no connection, and it is tried again
//! of a statement: by `database`
//!   no answer, or 08 40 53 55 57 58 XX …       nobody's: it passes by itself
//!   28 3D                                      nobody's: who is between (a pooler) isn't let in
//!   42501                                      nobody's: the role lacks a right until it is given (back)
//!   42P01 3F000, 26000 42P05, 0A 25 42 …       the statement's or the schema's: whatever the row, others would fare the same,
//!                                              unless it is a trigger's function that is wrong and not always run
//!   what a trigger raises, 22 23 44 54 P0 …    a row's
//! ```
//!
//! What becomes of a job hangs on it (`runtime/write.rs`): an end that is refused for what is in it is written without that, and
//! with it go its details and its follow-ups. So only what can't be but the doing of a row counts as that, and what is unknown to this
//! table was raised by somebody's own code. What may be a row's is looked for by halves, and blames nobody.
//!
//! Source: PostgreSQL's manual, appendix A.

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError};

use crate::error::{Error, Kind};

/// What to do where there are no tables.
pub(super) const INSTALL: &str = "run `pgq::Client::migrate`, or start the worker with --migrate";

const LENT: &str = "a statement isn't prepared where the driver thinks: a pooler in transaction mode, such as PgBouncer, seems to \
    be in between; say so by PGQ_POLL_ONLY=1 or `ClientBuilder::poll_only`, and by `.persistent(false)` in SQL of your own, \
    within a transaction";

const LACKING: &str = "the database says that the role lacks a right; what pgq takes of one that doesn't own its tables is `grant usage on \
    schema pgq` and `grant select, insert, update, delete on all tables in schema pgq`, by the names that they have";

/// An error of a statement: the connection's, or the server's answer.
pub(crate) fn database(error: sqlx::Error) -> Error {
    let (kind, message) = match error.as_database_error() {
        Some(said) => match Said::by(said) {
            Said::Passing => (Kind::Overtaxed, "the database couldn't do a statement just now"),
            Said::Barred => (Kind::NotAdmitted, "the database lets nobody in by this name"),
            Said::Lacking => (Kind::Denied, LACKING),
            Said::Absent => {
                let message = format!("pgq isn't installed in this database: {INSTALL}");
                return Error::new(Kind::SchemaAbsent, message).because(error);
            }
            Said::Lent => (Kind::Database, LENT),
            Said::OfTheStatement => (Kind::Database, "the database refused a statement"),
            Said::OfARow => (Kind::Refused, "the database refused a statement"),
        },
        None if is_broken(&error) => (Kind::Unreachable, "the connection to the database failed"),
        None => (Kind::Database, "the database refused a statement"),
    };
    Error::new(kind, message).because(error)
}

/// An error before any statement of ours reached the server, so that nothing was done and no row is to blame: where we looked for it,
/// never with which password.
pub(super) fn connecting(options: &PgConnectOptions, error: sqlx::Error) -> Error {
    let place = match options.get_socket() {
        Some(socket) => format!("the socket in {}", socket.display()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or(options.get_username());
    let message = format!("the database `{database}` at {place} can't be reached as `{}`", options.get_username());
    let kind = match error.as_database_error().and_then(DatabaseError::code) {
        Some(code) if is_passing(&code) => Kind::Unavailable,
        Some(_) => Kind::NotAdmitted,
        None => Kind::Unreachable,
    };
    Error::new(kind, message).because(error)
}

fn is_broken(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}

/// What the server says of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Passing,
    /// A pooler in between isn't let in, or has nowhere to go.
    Barred,
    /// A right is missing.
    Lacking,
    /// A table, or the schema, is missing.
    Absent,
    /// A prepared statement that is there already, or isn't.
    Lent,
    OfTheStatement,
    OfARow,
}

impl Said {
    fn by(error: &dyn DatabaseError) -> Self {
        let code = error.code().unwrap_or_default();
        let of = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
        match &*code {
            _ if is_passing(&code) => Self::Passing,
            // By `raise`, or by a policy of row security: that is somebody's own rule, whatever he calls it.
            _ if is_from(error, &["exec_stmt_raise", "ExecWithCheckOptions"]) => Self::OfARow,
            "42501" => Self::Lacking,
            "42P01" | "3F000" => Self::Absent,
            "26000" | "42P05" => Self::Lent,
            _ if of(&["28", "3D"]) => Self::Barred,
            _ if of(&STATEMENTS) => Self::OfTheStatement,
            _ => Self::OfARow,
        }
    }
}

/// Classes of what is wrong with a statement, its transaction or what it is about (a foreign table's server among that), not with values.
const STATEMENTS: [&str; 16] =
    ["03", "0A", "0B", "0L", "0P", "24", "25", "26", "2B", "2D", "34", "3B", "3F", "42", "F0", "HV"];

/// Whether it comes from one of these functions of the server.
fn is_from(error: &dyn DatabaseError, functions: &[&str]) -> bool {
    let routine = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine);
    routine.is_some_and(|routine| functions.contains(&routine))
}

/// Whether a statement that ended so may well succeed when it is tried again: the connection broke, or a pooler says that its own
/// did (class 08), rolled back for another's sake (40), short of something (53), an object in use (55), somebody stepped in (57),
/// the system's own errors (58, XX, but for damaged data), a server that only reads for now (25006), a transaction that took too long (25P03, 25P04).
fn is_passing(code: &str) -> bool {
    let passes = ["08", "25006", "25P03", "25P04", "40", "53", "55", "57", "58", "XX"];
    passes.iter().any(|class| code.starts_with(class)) && !["XX001", "XX002"].contains(&code)
}

#[cfg(test)]
mod tests {
    use pgq_testdb::{Database, Options, Server};
    use sqlx::postgres::PgPoolOptions;
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

    use super::super::link::Link;
    use super::*;
    use crate::Client;

    #[tokio::test]
    async fn a_standby_only_reads_whatever_it_is_asked() {
        let primary = Server::start(Options::default()).unwrap();
        Client::connect(&primary.url()).await.unwrap().migrate().await.unwrap();
        let standby = primary.standby().unwrap();
        let mut connection = PgConnection::connect(&standby.url()).await.unwrap();
        for asked in ["select from pgq.remembered", "insert into pgq.remembered values (1)", "delete from pgq.job"] {
            let refused = database(connection.execute(asked).await.unwrap_err());
            assert!(refused.is_read_only(), "{asked}: {refused:?}");
        }
    }

    /// How a server stops admitting the role `guest` to the database `inn`.
    const DOORS: [&str; 5] = [
        "alter role guest nologin",
        "revoke connect on database inn from public",
        "alter database inn allow_connections false",
        "alter role guest connection limit 0",
        "alter database inn rename to elsewhere",
    ];

    #[tokio::test]
    async fn who_is_not_let_in_has_no_connection_and_nobody_is_to_blame() {
        for door in DOORS {
            let server = Server::start(Options::default()).unwrap();
            let mut owner = PgConnection::connect(&server.url()).await.unwrap();
            for statement in ["create role guest login", "create database inn", door] {
                owner.execute(statement).await.unwrap();
            }
            let options = server.url().parse::<PgConnectOptions>().unwrap().username("guest").database("inn");
            let pool = || PgPoolOptions::new().acquire_timeout(std::time::Duration::from_millis(500));
            for link in [
                Link::direct(pool().connect_lazy_with(options.clone())),
                Link::poll_only(pool().connect_lazy_with(options), "begin"),
            ] {
                let refused = [
                    link.visit().await.map(drop).unwrap_err(),
                    link.begin().await.map(drop).unwrap_err(),
                    link.begin_with("set local jit = off").await.map(drop).unwrap_err(),
                ];
                for error in refused {
                    assert!(error.is_unconnected() && error.is_away() && !error.is_refusal(), "{door}: {error:?}");
                }
            }
        }
    }

    #[test]
    fn a_connection_that_was_broken_off_passes_and_one_that_nobody_takes_does_not() {
        use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
        let passes = |kind| database(sqlx::Error::Io(std::io::Error::from(kind))).is_passing();
        assert_eq!([BrokenPipe, ConnectionReset, UnexpectedEof].map(passes), [true; 3]);
        assert_eq!([ConnectionRefused, NotFound].map(passes), [false; 2]);
    }

    /// What a statement says by which one is refused.
    async fn said(connection: &mut PgConnection, statement: &str) -> Error {
        database(connection.execute(AssertSqlSafe(statement)).await.unwrap_err())
    }

    #[tokio::test]
    async fn only_what_stands_in_a_row_is_blamed_on_it() {
        let database = Database::create().await.unwrap();
        let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
        let raise = |code: &str| format!("do $$ begin raise 'no' using errcode = '{code}'; end $$");
        let rows = ["select 1 / 0", "select 'x'::int", "do $$ begin raise 'no'; end $$"].map(str::to_owned);
        for statement in rows.into_iter().chain(["42501", "28000", "U0001", "23514", "XX001"].map(raise)) {
            let error = said(&mut connection, &statement).await;
            assert!(error.is_refusal() && error.is_of_a_row(), "{statement}: {error:?}");
        }
        for statement in ["select nothing", "select from nowhere", "select no_such()", "execute nothing", "selec"] {
            let error = said(&mut connection, statement).await;
            assert!(error.is_refusal() && !error.is_of_a_row(), "{statement}: {error:?}");
        }
        for code in ["08006", "25006", "40P01", "53100", "55P03", "57P01", "58030", "XX000"] {
            let error = said(&mut connection, &raise(code)).await;
            assert!(!error.is_refusal() && error.is_passing(), "{code}: {error:?}");
        }
        connection.execute("set role pg_monitor").await.unwrap();
        let error = said(&mut connection, "select from pg_authid").await;
        assert!(!error.is_refusal() && error.is_denied() && error.may_be_one_rows(), "{error:?}");
    }
}
