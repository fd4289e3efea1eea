//! A database of one's own.

use std::fmt;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    Error,
    shared::{self, Shared},
};

/// Enough for a worker and the test beside it; thirty such tests at once fit on a private server.
const POOL_SIZE: u32 = 10;

/// A fresh database for one test, dropped with this value.
///
/// Dropping it ends the sessions that still use it, and blocks for some milliseconds.
pub struct Database {
    shared: &'static Shared,
    name: String,
    url: String,
    options: PgConnectOptions,
}

impl Database {
    /// Creates an empty database on the server that the tests of this process share.
    pub async fn create() -> Result<Self, Error> {
        // Not template1, where an external server may have things of its own.
        Self::copy_of("template0").await
    }

    pub(crate) async fn copy_of(template: &str) -> Result<Self, Error> {
        let shared = Shared::get().await?;
        let name = shared.create(template).await?;
        let url = shared.url_of(&name);
        let options = shared::options(&url)?;
        Ok(Self { shared, name, url, options })
    }

    /// Its name, unique on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, for sqlx, libpq and child processes; on a private server the host is a socket's directory
    /// (`postgres://postgres@%2F…/name`).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What [`url`](Self::url) says, for a pool or a listener of one's own.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// A new pool of at most ten connections, for the runtime that calls.
    pub async fn pool(&self) -> Result<PgPool, Error> {
        let pool = PgPoolOptions::new().max_connections(POOL_SIZE).connect_with(self.options()).await;
        pool.map_err(|cause| Error::because("the test database can't be reached", cause))
    }

    pub(crate) fn shared(&self) -> &'static Shared {
        self.shared
    }
}

/// Its name only: the URL of an external server may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.shared.drop_database(&self.name);
    }
}
