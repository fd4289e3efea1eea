//! What statements cost the server, counted by it: neighbours are in that no more than in what is asked for.

use anyhow::Result;
use sqlx::{PgPool, Row};

/// The extension that counts. A server may be without it, and then nothing is counted.
pub const EXTENSION: &str = "pg_stat_statements";

const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Says of a statement that it is the bench's own, and isn't to be counted.
#[macro_export]
macro_rules! own {
    ($statement:literal) => {
        concat!("/* bench */ ", $statement)
    };
}

/// What statements have cost, altogether.
#[derive(Clone, Copy)]
pub struct Cost {
    /// How many of them.
    pub statements: f64,
    /// Pages that were looked at, in memory or not.
    pub buffers: f64,
    /// Bytes.
    pub wal: f64,
}

impl Cost {
    /// Up to now, in the pool's database; `None` where nothing is [counted](uncounted).
    pub async fn read(pool: &PgPool) -> Result<Option<Self>> {
        if uncounted(pool).await?.is_some() {
            return Ok(None);
        }
        let row = sqlx::query(own!(
            "select coalesce(sum(calls), 0)::float8, coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8,
                    coalesce(sum(wal_bytes), 0)::float8
             from pg_stat_statements
             where dbid = (select oid from pg_database where datname = current_database())
               and query not like '%/* bench */%'"
        ));
        let row = row.fetch_one(pool).await?;
        Ok(Some(Self { statements: row.try_get(0)?, buffers: row.try_get(1)?, wal: row.try_get(2)? }))
    }

    /// What has come since `before`, of each of so many.
    #[must_use]
    pub fn since(&self, before: &Self, count: f64) -> Self {
        Self {
            statements: (self.statements - before.statements) / count,
            buffers: (self.buffers - before.buffers) / count,
            wal: (self.wal - before.wal) / count,
        }
    }
}

/// Why nothing is counted in the pool's database; `None` where it is, and from then on.
pub async fn uncounted(pool: &PgPool) -> Result<Option<&'static str>> {
    let loaded = own!("select current_setting('shared_preload_libraries') like '%pg_stat_statements%'");
    match allowed(sqlx::query_scalar(loaded).fetch_one(pool).await)? {
        None => return Ok(Some("the role may not ask which libraries the server loads")),
        Some(false) => return Ok(Some("the server doesn't load pg_stat_statements")),
        Some(true) => {}
    }
    let created = sqlx::raw_sql(own!("create extension if not exists pg_stat_statements")).execute(pool).await;
    Ok(allowed(created)?.is_none().then_some("the role may not create the extension pg_stat_statements"))
}

/// `None` where the role may not do that.
fn allowed<T>(done: sqlx::Result<T>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
