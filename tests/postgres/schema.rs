//! Installing the tables, and what stands in the way.

use std::time::Duration;

use pgq::Client;
use pgq::backend::{Advance, Migrated, Steps, Transition};
use pgq::sqlx::{self, Row};
use pgq_testdb::Database;

use crate::world::{World, after, claim, end, failure, installed, job, retry};

async fn fresh() -> (Database, Client) {
    let database = Database::create().await.unwrap();
    let client = Client::connect(database.url()).await.unwrap();
    (database, client)
}

#[tokio::test]
async fn installing_twice_does_nothing_the_second_time() {
    let (_database, client) = fresh().await;
    assert!(client.check().await.unwrap_err().is_schema());
    assert_eq!(client.migrate().await.unwrap(), Migrated { from: 0, to: 1 });
    assert_eq!(client.migrate().await.unwrap(), Migrated { from: 1, to: 1 });
    client.check().await.unwrap();
}

#[pgq::task]
async fn knock() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn a_producer_without_tables_is_told_what_to_run() {
    let (_database, client) = fresh().await;
    let error = knock::enqueue(&client, ()).await.unwrap_err();
    assert!(error.is_schema() && error.to_string().contains("pgq::Client::migrate"), "{error}");
}

#[tokio::test]
async fn several_may_install_at_once() {
    let (_database, client) = fresh().await;
    let mut installs = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        installs.spawn(async move { client.migrate().await.unwrap().from });
    }
    let fresh = installs.join_all().await.into_iter().filter(|from| *from == 0).count();
    assert_eq!(fresh, 1, "one of them installed it");
}

#[tokio::test]
async fn a_schema_with_somebody_elses_tables_is_refused() {
    let (_database, client) = fresh().await;
    let pool = client.pool().unwrap();
    sqlx::raw_sql("create schema pgq; create table pgq.consumer (id int)").execute(pool).await.unwrap();
    let error = client.migrate().await.unwrap_err();
    assert!(error.is_invalid(), "{error:?}");
    assert!(
        error.to_string().starts_with("the schema pgq holds `consumer`, which isn't ours: choose another"),
        "{error}"
    );
    let beside = Client::builder().unwrap().namespace("pgq", "our_").unwrap().pool(pool.clone());
    beside.migrate().await.unwrap();
}

#[tokio::test]
async fn tables_of_a_newer_version_are_left_alone() {
    let (_database, client) = fresh().await;
    client.migrate().await.unwrap();
    sqlx::query("insert into pgq.migration values (2)").execute(client.pool().unwrap()).await.unwrap();
    for error in [client.migrate().await.map(drop).unwrap_err(), client.check().await.unwrap_err()] {
        assert!(error.is_schema() && error.to_string().contains("build it with a newer pgq"), "{error}");
    }
}

#[tokio::test]
async fn a_role_without_rights_gets_the_servers_own_words() {
    let (database, client) = fresh().await;
    sqlx::query("create role nobody_special login").execute(client.pool().unwrap()).await.ok();
    let options = database.options().username("nobody_special");
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    let error = Client::from_pool(pool).unwrap().migrate().await.unwrap_err();
    assert!(error.is_database() && format!("{error:?}").contains("permission denied"), "{error:?}");
}

#[tokio::test]
async fn the_view_shows_every_job_with_its_state_in_words() {
    let database = installed().await;
    let client = Client::connect(database.url()).await.unwrap();
    let world = World::of(client.clone(), World::memory().clock, None);
    let pool = client.pool().unwrap();
    let span = Duration::from_mins(1);
    let session = world.session(&["a"]).await.unwrap();
    for transition in [
        Transition::Complete,
        Transition::Cancel { failure: failure() },
        Transition::Discard { failure: failure() },
        retry(span),
    ] {
        world.put_one(job("a")).await.unwrap();
        let won = claim(&session, &["a"], 1).await.unwrap();
        end(&session, &won[0], transition).await.unwrap();
    }
    world.put(vec![job("a"), after("a", span)]).await.unwrap();
    claim(&session, &["a"], 1).await.unwrap();
    world.put_one(job("a")).await.unwrap();
    let rows = sqlx::query("select state from pgq.jobs order by id").fetch_all(pool).await.unwrap();
    let states: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(states, ["completed", "cancelled", "discarded", "retryable", "running", "scheduled", "available"]);
}

#[pgq::task]
async fn report() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn the_view_tells_which_tick_of_which_schedule_made_a_job() {
    let world = World::postgres().await;
    let (client, pool) = (&world.client, world.client.pool().unwrap());
    report::enqueue(client, ()).await.unwrap();
    client.schedule("nightly", "@daily", report::job(())).create().await.unwrap();
    client.trigger_schedule("nightly").await.unwrap();
    let query = "select schedule, tick = '2026-01-01 00:00:00+00' from pgq.jobs order by id";
    let rows: Vec<(Option<String>, Option<bool>)> = sqlx::query_as(query).fetch_all(pool).await.unwrap();
    assert_eq!(rows, [(None, None), (Some("nightly".to_owned()), Some(true))]);
}

#[tokio::test]
async fn the_view_tells_how_far_attempts_have_come() {
    let world = World::postgres().await;
    world.put((0..3).map(|_| job("a")).collect()).await.unwrap();
    let session = world.session(&["a"]).await.unwrap();
    let won = claim(&session, &["a"], 2).await.unwrap();
    let advance = |place: usize, steps| Advance { id: won[place].id, epoch: won[place].epoch, steps };
    session.advance(vec![advance(0, Steps::new(2, 2)), advance(1, Steps::new(1, 2))]).await.unwrap();
    end(&session, &won[0], Transition::Complete).await.unwrap();
    let query = "select progress, progress_total, progress_at = '2026-01-01 00:00:00+00' from pgq.jobs order by id";
    let rows: Vec<(Option<i64>, Option<i64>, Option<bool>)> =
        sqlx::query_as(query).fetch_all(world.client.pool().unwrap()).await.unwrap();
    assert_eq!(rows, [(Some(2), Some(2), Some(true)), (Some(1), Some(2), Some(true)), (None, None, None)]);
}

/// Else a claim, and telling how far an attempt has come, would be no heap-only update.
#[tokio::test]
async fn what_changes_while_a_job_runs_stands_in_no_index() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    // Keys, expressions and predicates alike.
    let query = "select distinct attname::text from pg_depend
                 join pg_index on indexrelid = objid
                 join pg_attribute on attrelid = refobjid and attnum = refobjsubid
                 where indrelid = 'pgq.job'::regclass and refobjid = indrelid
                   and attname in ('lease', 'epoch', 'attempt', 'crashes', 'id', 'progress', 'progress_total', 'progress_at')";
    let indexed: Vec<String> = sqlx::query_scalar(query).fetch_all(&pool).await.unwrap();
    assert_eq!(indexed, ["id"]);
}
