//! A fresh, empty PostgreSQL database for every test, in 10–50 ms and with nothing to set up.
//!
//! ```no_run
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let db = pgq_testdb::Database::create().await?;
//! let pool = db.pool().await?;
//! sqlx::query("create table t (id bigint)").execute(&pool).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where the server comes from
//!
//! 1. `PGQ_TEST_DATABASE_URL`: a server that runs already, on which the role may `create database`.
//! 2. PostgreSQL's own binaries (`initdb`, `postgres`): in the directory named by `PGQ_TEST_POSTGRES_BIN`, else on
//!    `PATH`, else where Debian, Fedora, Alpine, Homebrew and Postgres.app put them, newest first. The first
//!    test of a process starts a private server, which listens on a Unix socket only and keeps its data in memory where
//!    there is room. As root, which PostgreSQL refuses, the server runs as `postgres` or else `nobody`.
//! 3. Neither: every test gets one [`Error`] that says what to install or to set. Nothing is ever skipped.
//!
//! Threads of one process (`cargo test`) share its server; processes (`cargo nextest`) don't, unless they are given one
//! by `PGQ_TEST_DATABASE_URL`.
//!
//! # What is left behind
//!
//! Nothing. A [`Database`] is dropped with its value. A private server and its directory go away when the process does,
//! also by `SIGKILL`: a shell outlives the process by a moment and sees to it. On an external server the first test of a process drops what killed
//! processes left there: only databases whose name says that a process of the same user, in the same boot and the same
//! pid namespace, made them, and only if that process is gone.
//!
//! # A schema, installed once
//!
//! A [`Template`] is prepared once per process and then copied for each test. [`Server`] is a throw-away server of one's
//! own: for crash tests, benchmarks and examples.

#[cfg(not(unix))]
compile_error!("pgq-testdb starts its server by Unix means (users, sockets, sh); it doesn't work on this platform");

mod account;
mod binaries;
mod cluster;
mod database;
mod directory;
mod error;
mod janitor;
mod owner;
mod server;
mod shared;
mod template;

pub use database::Database;
pub use error::Error;
pub use server::{Options, Server};
pub use template::Template;
