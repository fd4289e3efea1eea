//! A schema, installed once and copied for each test.

use std::{error, time::Duration};

use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, timeout},
};

use crate::{Database, Error};

/// A database that is prepared at first use and then copied, which takes as long as creating an empty one.
///
/// It belongs into a `static`: one for each schema.
///
/// ```no_run
/// use pgq_testdb::{Database, Error, Template};
///
/// async fn database() -> Result<Database, Error> {
///     static SCHEMA: Template = Template::new();
///     SCHEMA
///         .database(async |pool| sqlx::query("create table t (id bigint)").execute(&pool).await.map(drop))
///         .await
/// }
/// ```
///
/// A process prepares it once, however many tests ask at the same time; if that fails, the next test tries again. In a
/// `static` nothing drops it: on a private server it goes with the server, on an external one the next run sweeps it.
#[derive(Debug)]
pub struct Template(OnceCell<Database>);

impl Template {
    /// A template that isn't prepared yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceCell::const_new())
    }

    /// Creates a copy for one test. `prepare` runs for the first one only, on a pool of the new template; sessions that
    /// it leaves open are ended, for a database in use can't be copied.
    pub async fn database<E>(&self, prepare: impl AsyncFnOnce(PgPool) -> Result<(), E>) -> Result<Database, Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let template = self.0.get_or_try_init(|| prepared(prepare)).await?;
        Database::copy_of(template.name()).await
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::new()
    }
}

async fn prepared<E>(prepare: impl AsyncFnOnce(PgPool) -> Result<(), E>) -> Result<Database, Error>
where
    E: Into<Box<dyn error::Error + Send + Sync>>,
{
    let template = Database::create().await?;
    let pool = template.pool().await?;
    let done = prepare(pool.clone()).await;
    // Bounded: a connection that `prepare` has given away is never returned.
    let _ = timeout(Duration::from_secs(1), pool.close()).await;
    done.map_err(|cause| Error::because("the template could not be prepared", cause))?;
    seal(template.name(), &mut template.shared().connect().await?).await?;
    Ok(template)
}

/// Lets nobody in any more, and waits until all are out: a copy made earlier would find it in use, and PostgreSQL looks
/// again only every tenth of a second.
async fn seal(template: &str, connection: &mut PgConnection) -> Result<(), Error> {
    let failed = |cause| Error::because("the template could not be closed to connections", cause);
    let close = format!(r#"alter database "{template}" with allow_connections false"#);
    sqlx::raw_sql(AssertSqlSafe(close)).execute(&mut *connection).await.map_err(failed)?;
    let deadline = Instant::now() + Duration::from_secs(5);
    while end_sessions(template, connection).await.map_err(failed)? > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// How many there still were. Not autovacuum's: the copy ends those by itself, and only a superuser may.
async fn end_sessions(template: &str, connection: &mut PgConnection) -> sqlx::Result<i64> {
    let sql = "select count(pg_terminate_backend(pid)) \
               from pg_stat_activity \
               where datname = $1 and usename = current_user and backend_type = 'client backend'";
    sqlx::query_scalar(sql).bind(template).fetch_one(connection).await
}
