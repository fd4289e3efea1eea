//! The server, and a fresh database on it for each round.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use pgq::Client;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};

use crate::counts;

/// What a throw-away server has that a fresh installation has not. A checkpoint in the middle of a round would charge one
/// side for what both wrote.
const SETTINGS: [(&str, &str); 3] =
    [("shared_buffers", "512MB"), ("max_wal_size", "8GB"), ("checkpoint_timeout", "30min")];

/// The server that is measured on.
pub(crate) struct Server {
    url: String,
    /// Stopped and removed with this value.
    throw_away: Option<pgq_testdb::Server>,
}

impl Server {
    /// The one at `url`, or a throw-away one that is as durable as one in production.
    pub(crate) fn start(url: Option<&str>) -> Result<Self> {
        if let Some(url) = url {
            return Ok(Self { url: url.to_owned(), throw_away: None });
        }
        eprintln!("starting a throw-away server (fsync on)");
        let options = pgq_testdb::Options::default().fsync(true);
        let options = SETTINGS.iter().fold(options, |options, (name, value)| options.setting(*name, *value));
        let counting = options.clone().setting("shared_preload_libraries", counts::EXTENSION);
        // Not every installation has the extension.
        let own = pgq_testdb::Server::start(counting).or_else(|_| pgq_testdb::Server::start(options))?;
        Ok(Self { url: own.url(), throw_away: Some(own) })
    }

    pub(crate) async fn connect(&self) -> Result<Admin> {
        // The parser's own message could quote the URL, and with it a password.
        let options: PgConnectOptions = self
            .url
            .parse()
            .map_err(|_| anyhow::anyhow!("expected a database URL such as postgres://user@host/name"))?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await;
        Ok(Admin { pool: pool.context("the server can't be reached")?, options, own: self.throw_away.is_some() })
    }
}

/// A connection that creates and drops databases.
pub(crate) struct Admin {
    pub(crate) pool: PgPool,
    pub(crate) options: PgConnectOptions,
    /// Whether the server is ours alone.
    pub(crate) own: bool,
}

impl Admin {
    /// A database that nobody has used, with pgq's tables and the baseline's.
    pub(crate) async fn fresh(&self) -> Result<Fresh<'_>> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("pgq_bench_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.run(format!("create database {name} template template0")).await?;
        let fresh = Fresh { admin: self, options: self.options.clone().database(&name), name };
        let pool = fresh.pool(1).await?;
        client(&pool)?.migrate().await?;
        sqlx::raw_sql(crate::raw::SCHEMA).execute(&pool).await?;
        pool.close().await;
        Ok(fresh)
    }

    async fn run(&self, statement: String) -> Result<()> {
        // Names in it are ours.
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pool).await?;
        Ok(())
    }
}

/// A database for one round.
pub(crate) struct Fresh<'a> {
    admin: &'a Admin,
    options: PgConnectOptions,
    name: String,
}

impl Fresh<'_> {
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A pool whose connections are all open: opening one costs as much as ten jobs.
    pub(crate) async fn pool(&self, size: u32) -> Result<PgPool> {
        let pool = PgPoolOptions::new().max_connections(size).min_connections(size);
        let pool = pool.test_before_acquire(false).connect_with(self.options.clone()).await?;
        Ok(pool)
    }

    pub(crate) async fn drop(self) -> Result<()> {
        self.admin.run(format!("drop database {} with (force)", self.name)).await
    }
}

/// The client of pgq that is measured, whatever the environment says of schema and prefix.
pub(crate) fn client(pool: &PgPool) -> Result<Client> {
    Ok(Client::builder()?.namespace("pgq", "")?.pool(pool.clone()))
}
