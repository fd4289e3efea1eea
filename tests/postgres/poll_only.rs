//! Clients and workers that rest nothing on a session of the database. That all else is as ever, the conformance suite tells; that
//! it is so through a real pooler, `pooler`.

use std::time::Duration;

use pgq::backend::{Renewal, Watched};
use pgq::sqlx::postgres::PgPoolOptions;
use pgq::sqlx::{self, Connection, Executor, PgConnection, PgPool};
use pgq::{Client, Worker};
use pgq_testdb::Database;

use crate::log::Log;
use crate::swallow::without_notices;
use crate::world::{World, claim, end, installed, job};

#[pgq::task]
async fn touch(number: u32) -> Result<(), pgq::BoxError> {
    let _ = number;
    Ok(())
}

async fn jobs(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from pgq.job").fetch_one(pool).await.unwrap()
}

async fn connect(database: &Database) -> PgConnection {
    PgConnection::connect_with(&database.options()).await.unwrap()
}

#[tokio::test]
async fn nothing_stays_on_its_connections() {
    let database = installed().await;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(database.options()).await.unwrap();
    let client = Client::builder().unwrap().poll_only().pool(pool.clone());
    let tx = client.begin().await.unwrap();
    touch::enqueue(&tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    let job = touch::job(2).unique("2").enqueue(&client).await.unwrap();
    touch::enqueue(client.on(&mut pool.acquire().await.unwrap()), 3).await.unwrap();
    client.jobs().list().await.unwrap();
    client.cancel(job.id(), "enough").await.unwrap();
    client.retry(job.id()).await.unwrap();
    client.migrate().await.unwrap();
    let prepared = sqlx::query_scalar::<_, i64>("select count(*) from pg_prepared_statements where name <> ''");
    assert_eq!(prepared.persistent(false).fetch_one(&pool).await.unwrap(), 0);
}

#[tokio::test]
async fn a_poll_only_worker_locks_nothing_and_is_not_declared_gone_by_sight() {
    let world = World::poll_only().await;
    let (polling, hearing) = (world.session(&["a"]).await.unwrap(), world.sleeper(&["a"]).await.unwrap());
    let (mut pulse, mut others) = (polling.attend().await.unwrap(), hearing.attend().await.unwrap());
    assert!(!pulse.hears() && others.hears());
    let id = world.put_one(job("a")).await.unwrap();
    let won = claim(&polling, &["a"], 1).await.unwrap();
    let locks =
        "select count(*) from pg_locks where locktype = 'advisory' and (classid::bigint << 32) | objid::bigint = $1";
    let locks = sqlx::query_scalar::<_, i64>(locks).bind(polling.lease().0);
    assert_eq!(locks.fetch_one(world.hearing.pool().unwrap()).await.unwrap(), 0);
    for _ in 0..3 {
        assert_eq!(others.renew().await.unwrap(), Renewal::Alive { cancelled: Vec::new() });
        assert_eq!(others.watch().await.unwrap(), Watched::default(), "it was never there to be missed");
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(pulse.renew().await.unwrap(), Renewal::Alive { cancelled: Vec::new() });
    assert_eq!(pulse.watch().await.unwrap(), Watched::default());
    end(&polling, &won[0], pgq::backend::Transition::Complete).await.unwrap();
    assert_eq!(world.state(id).await.unwrap(), pgq::State::Completed);
}

#[tokio::test]
async fn a_bare_connection_gets_a_transaction_unless_it_is_in_one() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let client = Client::builder().unwrap().poll_only().pool(pool.clone());
    let mut connection = connect(&database).await;
    touch::enqueue(client.on(&mut connection), 1).await.unwrap();
    assert_eq!(jobs(&pool).await, 1, "it is committed by itself");
    // Begun past the driver, which knows nothing of it.
    connection.execute("begin").await.unwrap();
    touch::enqueue(client.on(&mut connection), 2).await.unwrap();
    assert_eq!(jobs(&pool).await, 1, "the caller has yet to commit");
    connection.execute("rollback").await.unwrap();
    assert_eq!(jobs(&pool).await, 1);
    let mut tx = connection.begin().await.unwrap();
    touch::enqueue(client.on(&mut tx), 3).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(jobs(&pool).await, 1);
}

#[tokio::test]
async fn who_is_not_poll_only_is_told_where_listen_is_swallowed() {
    let database = installed().await;
    let pool = PgPool::connect_lazy_with(without_notices(database.options()).await.unwrap());
    let direct = Client::from_pool(database.pool().await.unwrap()).unwrap();
    // On a machine that is held up a notice may be late now and then, which isn't what this is about.
    let delivers = async { while direct.backend().self_test().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), delivers).await.expect("the server itself delivers");
    let poll_only = Client::builder().unwrap().poll_only().pool(pool.clone());
    assert_eq!(poll_only.backend().self_test().await.unwrap(), None, "nobody listens");
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let client = Client::from_pool(pool).unwrap();
    let worker = Worker::<()>::builder().client(client).tasks(pgq::tasks![touch]).spawn().await.unwrap();
    worker.stop().await.unwrap();
    let told = log.about("wasn't delivered");
    assert!(told.len() == 1 && told[0].starts_with("WARN") && told[0].contains("LISTEN"), "{told:?}");
    assert!(told[0].contains("PgBouncer") && told[0].contains("--poll-only"), "{told:?}");
}

#[tokio::test]
async fn a_producer_that_should_be_poll_only_is_told_so() {
    let database = installed().await;
    let mut connection = connect(&database).await;
    // As another client leaves it behind, whose driver counts its statements from one too.
    connection.execute("prepare sqlx_s_1 as select 1").await.unwrap();
    let error = touch::enqueue(&mut connection, 1).await.unwrap_err();
    assert!(error.is_database() && error.to_string().contains("PGQ_POLL_ONLY"), "{error:?}");
    let client = Client::builder().unwrap().poll_only().pool(database.pool().await.unwrap());
    touch::enqueue(client.on(&mut connection), 1).await.unwrap();
}

#[tokio::test]
async fn a_poll_only_worker_cannot_stop_for_hearing_nothing() {
    let database = installed().await;
    let client = Client::builder().unwrap().poll_only().pool(database.pool().await.unwrap());
    let worker = Worker::<()>::builder().client(client).tasks(pgq::tasks![touch]).shutdown_on_listener_failure();
    let error = worker.spawn().await.unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("poll-only"), "{error}");
}

#[pgq::task]
async fn rerun() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn what_a_crash_of_the_server_gave_back_runs_soon_also_where_nobody_could_notice() {
    let world = World::poll_only().await;
    let builder = pgq::Worker::<()>::builder().client(world.client.clone()).tasks(pgq::tasks![rerun]);
    let worker = builder.spawn().await.unwrap();
    let pool = world.hearing.pool().unwrap();
    let id = rerun::job(()).delay(Duration::from_hours(1)).enqueue(&world.client).await.unwrap().id();
    // As if its end had been acknowledged, and then forgotten.
    let forgotten = "with remembered as (delete from pgq.remembered)
                     update pgq.job set lane = 0, lease = (select id from pgq.worker), epoch = 1, attempt = 1 where id = $1";
    sqlx::query(forgotten).bind(id.0).execute(pool).await.unwrap();
    let completed = async {
        while world.state(id).await.unwrap() != pgq::State::Completed {
            world.clock.advance(Duration::from_millis(500));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), completed).await.expect("it runs");
    worker.stop().await.unwrap();
}
