//! Beats on a database whose owner has set things, and on one that is slow.

use pgq::Client;
use pgq::backend::Pulse;
use pgq::sqlx::{AssertSqlSafe, Executor, PgPool};
use pgq::testing::ManualClock;

use crate::world::World;

/// A world in a database for which something is set by default.
async fn where_usually(setting: &str) -> World {
    let database = crate::world::installed().await;
    let usual = format!("alter database \"{}\" set {setting}", database.name());
    database.pool().await.unwrap().execute(AssertSqlSafe(usual)).await.unwrap();
    let pool = PgPool::connect_with(database.options()).await.unwrap();
    World::of(Client::from_pool(pool).unwrap(), ManualClock::at(pgq::Timestamp::EPOCH), Some(database))
}

async fn beat_often(mut pulse: Box<dyn Pulse>) -> pgq::Result<()> {
    for _ in 0..100 {
        pulse.renew().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beats_of_several_workers_get_through_where_serializable_is_the_default() {
    let world = where_usually("default_transaction_isolation = serializable").await;
    let mut beating = Vec::new();
    for _ in 0..4 {
        let session = world.session(&["a"]).await.unwrap();
        beating.push(tokio::spawn(beat_often(session.attend().await.unwrap())));
    }
    for one in beating {
        one.await.unwrap().unwrap();
    }
}
