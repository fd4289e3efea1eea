//! Beats on a database whose owner has set things, and on one that is slow.

use std::time::Duration;

use pgq::backend::Pulse;
use pgq::sqlx::{self, AssertSqlSafe, Executor, PgPool, raw_sql};
use pgq::testing::ManualClock;
use pgq::{Client, State, Worker};

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

#[pgq::task]
async fn linger() -> Result<(), pgq::BoxError> {
    Ok(())
}

/// Every look of a beat takes twenty seconds, and counts.
const SLOW_LOOKS: &str = "
    create sequence pgq.looks;
    alter table pgq.pause rename to pause_;
    insert into pgq.pause_ (kind, name, reason, since) values ('queue', 'elsewhere', '', now());
    create view pgq.pause as
      select * from pgq.pause_
      where case when current_query() like '%pg_backend_pid() as eyes%' and nextval('pgq.looks') > 0
                 then pg_sleep(20) is not null else true end";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_takes_too_long_is_ended_and_costs_no_connection() {
    let database = crate::world::installed().await;
    let pool = database.pool().await.unwrap();
    raw_sql(SLOW_LOOKS).execute(&pool).await.unwrap();
    let client = Client::from_pool(pool.clone()).unwrap();
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![linger]);
    let worker = builder.lease(Duration::from_secs(1)).spawn().await.unwrap();
    let looks =
        async || sqlx::query_scalar::<_, i64>("select last_value from pgq.looks").fetch_one(&pool).await.unwrap();
    let twice = async {
        while looks().await < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), twice).await.expect("it looks again, some time later");
    let beating = "select count(*), min(backend_start) < (select started from pgq.worker) + interval '1 s'
                   from pg_stat_activity
                   where datname = current_database() and query like 'with beat as (%' and pid <> pg_backend_pid()";
    let (connections, first): (i64, bool) = sqlx::query_as(beating).fetch_one(&pool).await.unwrap();
    assert_eq!((connections, first), (1, true), "the first connection is the only one");
    let doubts: i32 = sqlx::query_scalar("select doubts from pgq.worker").fetch_one(&pool).await.unwrap();
    assert_eq!(doubts, 0);
    let id = linger::enqueue(&client, ()).await.unwrap().id();
    let done = async {
        while client.get(id).await.unwrap().unwrap().state != State::Completed {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), done).await.expect("it runs");
    worker.stop().await.unwrap();
}
