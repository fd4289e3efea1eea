//! Beginning a transaction so that it can be given up at any time.
//!
//! sqlx forgets a `begin` that is dropped before the server has answered: the connection goes back to its pool with an open
//! transaction on it, and what others write there is never committed. So it is begun apart from whoever asked. If he gives
//! up, it is begun all the same, and rolled back as any other that is dropped.

use sqlx::{PgPool, Postgres, SqlSafeStr, Transaction};

use super::connect::unconnected;
use crate::error::{Error, Kind, Result};
use crate::platform::spawn;

/// By a statement that begins it, and may set what holds for it.
pub(super) async fn begin_with(
    pool: &PgPool,
    statement: impl SqlSafeStr + Send + 'static,
) -> Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let begun = spawn(async move {
        match pool.begin_with(statement).await {
            Ok(begun) => Ok(begun),
            Err(error) => Err(unconnected(&pool, error).await),
        }
    });
    match begun.await {
        Ok(begun) => begun,
        Err(error) => Err(Error::new(Kind::Interrupted, "the runtime ended while a transaction began").because(error)),
    }
}
