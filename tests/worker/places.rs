//! Where a worker that runs by itself is tested.

use pgq::Client;
use pgq_testdb::Database;

use crate::world::installed;

/// A client, and what it lives on.
type Place = (Client, Option<Database>);

#[expect(clippy::unused_async, reason = "as the others")]
pub(super) async fn memory() -> Place {
    (Client::memory(), None)
}

pub(super) async fn postgres() -> Place {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    (Client::from_pool(pool).unwrap(), Some(database))
}

pub(super) async fn poll_only() -> Place {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    (Client::builder().unwrap().poll_only().pool(pool), Some(database))
}

#[cfg(feature = "pooler")]
pub(super) async fn pooler() -> Place {
    let database = installed().await;
    let pool = crate::pooler::bouncer::pool(&database);
    (Client::builder().unwrap().poll_only().pool(pool), Some(database))
}
