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
//! 3. Docker, with the feature `docker` (off by default: it brings testcontainers): a container of `postgres:18-alpine`,
//!    or of the image named by `PGQ_TEST_POSTGRES_IMAGE`, if a daemon answers and has that image. Nothing is downloaded
//!    unasked. The first test of a process waits a second or two for it; its data is in memory too.
//! 4. None of these: every test gets one [`Error`] that says what to install or to set. Nothing is ever skipped.
//!
//! `PGQ_TEST_POSTGRES` forces one way: `url`, `binaries` or `docker`.
//!
//! Threads of one process (`cargo test`) share its server; processes (`cargo nextest`) don't, unless they are given one
//! by `PGQ_TEST_DATABASE_URL`.
//!
//! # What is left behind
//!
//! Nothing. A [`Database`] is dropped with its value. A private server and its directory go away when the process does,
//! also by `SIGKILL`: a shell outlives the process by a moment and sees to it. So does a container, in which such a shell
//! watches its connection to the process. On an external server the first test of a process drops what killed processes
//! left there: only databases whose name says that a process of the same user, in the same boot and the same pid
//! namespace, made them, and only if that process is gone.
//!
//! # A schema, installed once
//!
//! A [`Template`] is prepared once per process and then copied for each test. [`Server`] is a throw-away server of one's
//! own, always by the binaries: for crash tests, benchmarks and examples.

#[cfg(not(unix))]
compile_error!("pgq-testdb starts its server by Unix means (users, sockets, sh); it doesn't work on this platform");

mod account;
mod binaries;
mod cluster;
mod database;
mod directory;
#[cfg(feature = "docker")]
mod docker;
#[cfg(not(feature = "docker"))]
#[path = "no_docker.rs"]
mod docker;
mod error;
mod janitor;
mod owner;
mod server;
mod shared;
mod template;
mod way;

pub use database::Database;
pub use error::Error;
pub use server::{Options, Server};
pub use template::Template;
