//! What statements cost the server, counted by it: neighbours are in that no more than in what is asked for.

use anyhow::Result;
use sqlx::{PgPool, Row};

/// The extension that counts. A server may be without it, and then nothing is counted.
pub const EXTENSION: &str = "pg_stat_statements";

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
    /// Up to now, in the pool's database; `None` where the server counts nothing.
    pub async fn read(pool: &PgPool) -> Result<Option<Self>> {
        let counts = own!("select current_setting('shared_preload_libraries') like '%pg_stat_statements%'");
        if !sqlx::query_scalar(counts).fetch_one(pool).await? {
            return Ok(None);
        }
        sqlx::raw_sql(own!("create extension if not exists pg_stat_statements")).execute(pool).await?;
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
