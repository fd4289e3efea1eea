//! A worker whose role owns nothing: it may use the tables, and no more.

use std::time::Duration;

use pgq::backend::{Ended, Transition};
use pgq::sqlx::{self, Executor};
use pgq::testing::ManualClock;
use pgq::{Cancellation, Client, Result, Retrial, State};
use pgq_testdb::Database;

use crate::world::{SPAN, World, after, claim, end, ended, failure, installed, job, retry};

/// What a worker and its producers need, as `Client::migrate` says.
const GRANTS: &str = "
    grant usage on schema pgq to pgq_worker;
    grant select, insert, update, delete on all tables in schema pgq to pgq_worker";

async fn poor(database: &Database) -> World {
    let owner = Client::connect(database.url()).await.unwrap();
    let pool = owner.pool().unwrap();
    // Roles are the whole server's, and outlive this test's database.
    let create =
        "do $$ begin create role pgq_worker login; exception when duplicate_object or unique_violation then end $$";
    pool.execute(create).await.unwrap();
    sqlx::raw_sql(GRANTS).execute(pool).await.unwrap();
    let pool = sqlx::PgPool::connect_with(database.options().username("pgq_worker")).await.unwrap();
    let clock = ManualClock::at(World::memory().clock.now());
    let client = Client::builder().unwrap().clock(clock.clone()).pool(pool);
    World::of(client, clock, None)
}

#[tokio::test]
async fn a_role_that_owns_nothing_leads_a_job_through_its_whole_life() -> Result<()> {
    let database = installed().await;
    let world = poor(&database).await;
    world.client.check().await?;
    let (silent, session) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let put = world.put(vec![job("a"), job("a"), after("a", Duration::from_mins(1))]).await?;
    let crashed = claim(&silent, &["a"], 1).await?[0].id;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], retry(Duration::from_mins(1))).await?;
    world.clock.advance(SPAN * 3);
    session.attend().await?.renew().await?;
    assert_eq!(session.rescue(10).await?.freed, 1);
    assert_eq!(session.promote(10).await?.moved, 2);
    let mut won = claim(&session, &["a"], 3).await?;
    won.sort_by_key(|job| job.id);
    session.finish(&[ended(&won[0], Transition::Complete), ended(&won[1], Transition::Release)]).await?;
    let unkept = Ended { keep: Duration::ZERO, ..ended(&won[2], Transition::Discard { failure: failure() }) };
    session.finish(&[unkept]).await?;
    assert_eq!(world.client.retry(put[0]).await?, Retrial::Done);
    for id in &put[..2] {
        assert_eq!(world.client.cancel(*id, "enough").await?, Cancellation::Done);
    }
    assert!(world.job(crashed).await?.failures.len() > 1);
    world.clock.advance(Duration::from_hours(24 * 7));
    assert_eq!(session.prune(10).await?.rows, 2);
    assert_eq!(world.client.get(put[0]).await?, None);
    session.deregister(false).await
}

#[tokio::test]
async fn a_finish_needs_no_dated_partition() -> Result<()> {
    let world = World::postgres().await;
    let dated =
        "create table pgq.history_today partition of pgq.history for values from ('2026-01-01') to ('2026-01-02')";
    world.client.pool()?.execute(dated).await.unwrap();
    let session = world.session(&["a"]).await?;
    for _ in 0..2 {
        let id = world.put_one(job("a")).await?;
        let won = claim(&session, &["a"], 1).await?;
        end(&session, &won[0], Transition::Complete).await?;
        assert_eq!(world.state(id).await?, State::Completed);
        world.client.pool()?.execute("drop table if exists pgq.history_today").await.unwrap();
    }
    Ok(())
}

#[tokio::test]
async fn what_was_locked_while_its_neighbours_were_pruned_goes_with_a_later_step() -> Result<()> {
    let world = World::postgres().await;
    let pool = world.client.pool()?;
    let fill = "insert into pgq.history (id, expires, finished, created, run_at, epoch, state, attempt, crashes, max_attempts,
                                         rank, version, codec, queue, task, payload)
        select n, '2025-01-01'::timestamptz + n * interval '1 second', '2025-01-01', '2025-01-01', '2025-01-01', 1, 4, 1, 0,
               20, 0, 1, 0, 'default', 'a', '' from generate_series(1, 2500) as n";
    pool.execute(fill).await.unwrap();
    let mut locked = pool.begin().await.unwrap();
    locked.execute("select from pgq.history where id = 1 for update").await.unwrap();
    let session = world.session(&["a"]).await?;
    for rows in [1_000, 1_000, 499] {
        assert_eq!(session.prune(1_000).await?.rows, rows);
    }
    locked.rollback().await.unwrap();
    assert_eq!(session.prune(1_000).await?.rows, 1, "the last step begins from the front");
    Ok(())
}
