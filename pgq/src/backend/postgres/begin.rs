//! Beginning a transaction so that it can be given up at any time.
//!
//! sqlx forgets a `begin` that is dropped before the server has answered: the connection goes back to its pool with an open
//! transaction on it, and what others write there is never committed. So it is begun apart from whoever asked. If he gives
//! up, it is begun all the same, and rolled back as any other that is dropped.

use sqlx::{Postgres, SqlSafeStr, Transaction};

use super::blame::connecting;
use super::link::Link;
use crate::error::{Error, Kind, Result};
use crate::platform::spawn;

/// By a statement that begins it, and may set what holds for it.
pub(super) async fn begin_with(
    link: &Link,
    statement: impl SqlSafeStr + Send + 'static,
) -> Result<Transaction<'static, Postgres>> {
    let link = link.clone();
    let begun = spawn(async move {
        let connection = link.connection().await?;
        // A pooler may be let in no sooner than this, or not at all.
        let refused = |error| connecting(&link.pool().connect_options(), error);
        Transaction::begin(connection, Some(statement.into_sql_str())).await.map_err(refused)
    });
    match begun.await {
        Ok(begun) => begun,
        Err(error) => Err(Error::new(Kind::Interrupted, "the runtime ended while a transaction began").because(error)),
    }
}
