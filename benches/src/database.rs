//! The server, and a fresh database on it for each round.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use pgq::Client;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};

use crate::counts;

/// What a throw-away server has that a fresh installation has not. A checkpoint in the middle of a round would charge one
/// side for what both wrote. There is room for 64 workers.
const SETTINGS: [(&str, &str); 4] =
    [("shared_buffers", "512MB"), ("max_wal_size", "8GB"), ("checkpoint_timeout", "30min"), ("max_connections", "400")];

/// The tables of the baseline.
const BASELINE: &str = include_str!("raw/schema.sql");

/// The server that is measured on.
pub struct Server {
    url: String,
    /// Stopped and removed with this value.
    throw_away: Option<pgq_testdb::Server>,
}

impl Server {
    /// The one at `url`, or a throw-away one that is as durable as one in production.
    pub fn start(url: Option<&str>) -> Result<Self> {
        if let Some(url) = url {
            return Ok(Self { url: url.to_owned(), throw_away: None });
        }
        eprintln!("starting a throw-away server (fsync on)");
        let options = pgq_testdb::Options::default().fsync(true);
        let options = SETTINGS.iter().fold(options, |options, (name, value)| options.setting(*name, *value));
        let counting = options.clone().setting("shared_preload_libraries", counts::EXTENSION);
        // Not every installation has the extension.
        let own = pgq_testdb::Server::start(counting).or_else(|_| pgq_testdb::Server::start(options));
        let own = own.context(
            "no throw-away server; --database-url names one to use instead, on which the role may create databases",
        )?;
        Ok(Self { url: own.url(), throw_away: Some(own) })
    }

    /// How it is reached: not to be shown, it may hold a password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection that creates databases on it.
    pub async fn connect(&self) -> Result<Admin> {
        // The parser's own message could quote the URL, and with it a password.
        let options: PgConnectOptions = self
            .url
            .parse()
            .map_err(|_| anyhow::anyhow!("expected a database URL such as postgres://user@host/name"))?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await;
        let pool = pool.context("the server can't be reached")?;
        Ok(Admin { pool, options, own: self.throw_away.is_some(), standing: Mutex::default() })
    }
}

/// A connection that creates and drops databases.
pub struct Admin {
    /// The connection.
    pub pool: PgPool,
    /// Where it leads to.
    pub options: PgConnectOptions,
    /// Whether the server is ours alone.
    pub own: bool,
    /// The databases that were created and not dropped.
    standing: Mutex<BTreeSet<String>>,
}

impl Admin {
    /// A database that nobody has used, with pgq's tables and the baseline's.
    pub async fn fresh(&self) -> Result<Fresh<'_>> {
        let fresh = self.empty().await?;
        let pool = fresh.pool(1).await?;
        client(&pool)?.migrate().await?;
        sqlx::raw_sql(BASELINE).execute(&pool).await?;
        pool.close().await;
        Ok(fresh)
    }

    /// A database that nobody has used and that has nothing in it.
    pub async fn empty(&self) -> Result<Fresh<'_>> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("pgq_bench_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // First, as whoever is stopped meanwhile leaves it behind.
        self.standing().insert(name.clone());
        self.run(format!("create database {name} template template0")).await?;
        Ok(Fresh { admin: self, options: self.options.clone().database(&name), name })
    }

    /// Drops what was created and still stands. A throw-away server takes its databases with it.
    pub(crate) async fn drop_all(&self) -> Result<()> {
        let standing = if self.own { BTreeSet::new() } else { self.standing().clone() };
        for name in standing {
            self.drop(&name).await?;
        }
        Ok(())
    }

    /// What the server says of one of its settings.
    pub async fn setting(&self, name: &str) -> Result<String> {
        Ok(sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&self.pool).await?)
    }

    /// How the server is reached.
    #[must_use]
    pub fn transport(&self) -> String {
        match self.options.get_socket() {
            Some(_) => "unix socket".to_owned(),
            None => format!("tcp to {}", self.options.get_host()),
        }
    }

    async fn drop(&self, name: &str) -> Result<()> {
        self.run(format!("drop database if exists {name} with (force)")).await?;
        self.standing().remove(name);
        Ok(())
    }

    fn standing(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, statement: String) -> Result<()> {
        // Names in it are ours.
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pool).await?;
        Ok(())
    }
}

/// A database for one round.
pub struct Fresh<'a> {
    admin: &'a Admin,
    options: PgConnectOptions,
    name: String,
}

impl Fresh<'_> {
    /// How it is reached.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A pool whose connections are all open: opening one costs as much as ten jobs.
    pub async fn pool(&self, size: u32) -> Result<PgPool> {
        let pool = PgPoolOptions::new().max_connections(size).min_connections(size);
        let pool = pool.test_before_acquire(false).connect_with(self.options.clone()).await?;
        Ok(pool)
    }

    /// Removes it, with all who are connected to it.
    pub async fn drop(self) -> Result<()> {
        self.admin.drop(&self.name).await
    }
}

/// The client of pgq that is measured, whatever the environment says of schema and prefix.
pub fn client(pool: &PgPool) -> Result<Client> {
    Ok(Client::builder()?.namespace("pgq", "")?.pool(pool.clone()))
}
