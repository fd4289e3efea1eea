//! The database that a phase works on.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::sync::OnceCell;

use crate::peer::Entry;

/// Where it is, and the one pool that a peer has on it.
pub(crate) struct Database {
    pub(crate) url: String,
    pool: OnceCell<PgPool>,
    pool08: OnceCell<sqlx08::PgPool>,
}

impl Database {
    pub(crate) fn at(url: String) -> Self {
        Self { url, pool: OnceCell::new(), pool08: OnceCell::new() }
    }

    /// The one of this name on the server at `url`.
    pub(crate) fn on(url: &str, name: &str) -> Result<Self> {
        let (scheme, rest) =
            url.split_once("://").context("expected a database URL such as postgres://user@host/name")?;
        let (place, query) =
            rest.split_once('?').map_or((rest, String::new()), |(place, query)| (place, format!("?{query}")));
        let host = place.split('/').next().unwrap_or(place);
        Ok(Self::at(format!("{scheme}://{host}/{name}{query}")))
    }

    /// A pool of so many connections, all open: opening one costs as much as ten jobs. Every call gives the same one.
    pub(crate) async fn pool(&self, size: u32) -> Result<PgPool> {
        let options = PgPoolOptions::new().max_connections(size).min_connections(size).test_before_acquire(false);
        Ok(self.pool.get_or_try_init(|| options.connect(&self.url)).await?.clone())
    }

    /// The same for peers that depend on sqlx 0.8.
    pub(crate) async fn pool08(&self, size: u32) -> Result<sqlx08::PgPool> {
        let options = sqlx08::postgres::PgPoolOptions::new().max_connections(size).min_connections(size);
        let options = options.test_before_acquire(false);
        Ok(self.pool08.get_or_try_init(|| options.connect(&self.url)).await?.clone())
    }

    /// Waits until no job of the peer's is left that has not ended.
    pub(crate) async fn ended(&self, entry: &Entry) -> Result<()> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let pool = self.pool(1).await?;
        let query = format!("select exists (select from {})", entry.left);
        let wait = async {
            while sqlx::query_scalar(AssertSqlSafe(query.as_str())).fetch_one(&pool).await? {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(ended) => ended,
            Err(_) => bail!("jobs whose handlers have run have not ended {PATIENCE:?} later"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_is_on_the_same_server() {
        for (url, other) in [
            ("postgres://u@%2Ftmp:5/postgres?sslmode=disable", "postgres://u@%2Ftmp:5/x?sslmode=disable"),
            ("postgres://u:p@host/db", "postgres://u:p@host/x"),
            ("postgres://u@host", "postgres://u@host/x"),
        ] {
            assert_eq!(Database::on(url, "x").ok().map(|database| database.url).as_deref(), Some(other));
        }
    }
}
