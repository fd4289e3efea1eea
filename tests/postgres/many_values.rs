//! A limit with a key changes while very many of its values are waited for.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Declared, Limited, NewJob, Rate, Session};
use pgq::{Allow, LimitRef, sqlx};

use crate::world::{World, claim, job};

const VALUES: i64 = 2_500;
const DAY: Duration = Duration::from_hours(24);

/// Writes down how many gates each transaction touches from now on.
const WATCH: &str = "
    create table touched (transaction xid8, gates bigint);
    create function watch() returns trigger language plpgsql as $$
      begin
        insert into touched select pg_current_xact_id(), count(*) from changed having count(*) > 0;
        return null;
      end $$;
    create trigger watch after update on pgq.gate referencing new table as changed
      for each statement execute function watch()";

/// From the second transaction on gates can't be changed, as if nobody was there to do it.
const DIE: &str = "
    create function die() returns trigger language plpgsql as $$
      begin
        if exists (select from touched where transaction <> pg_current_xact_id()) then
          raise exception 'he is dead';
        end if;
        return null;
      end $$;
    create trigger die after update on pgq.gate for each statement execute function die()";

fn one_each(interval: Duration) -> Declared {
    let (tasks, name) = (vec!["a".to_owned()], "task:a[key]".to_owned());
    let bounds = Bounds { concurrency: None, rate: Rate::every(interval, 1) };
    let limit = Limited { name, task: Some("a".to_owned()), sharers: Vec::new(), keyed: true, bounds };
    Declared { tasks, schedules: Vec::new(), limits: vec![limit] }
}

/// A worker of a version that lets one of each value start in so long.
async fn version(world: &World, interval: Duration) -> Arc<dyn Session> {
    let session = world.session(&["a"]).await.unwrap();
    session.declare(one_each(interval)).await.unwrap();
    session
}

/// A job of each value runs, and another one waits.
async fn many_wait(world: &World) -> Arc<dyn Session> {
    let session = version(world, DAY).await;
    for _ in 0..2 {
        let gated = |value| NewJob { limit_keys: vec![format!("task:a[key]={value}")], ..job("a") };
        world.put((0..VALUES).map(gated).collect()).await.unwrap();
        for _ in 0..VALUES / 500 {
            claim(&session, &["a"], 500).await.unwrap();
        }
    }
    assert_eq!(count(world, "select count(distinct limit_key) from pgq.job where lane = 2").await, VALUES);
    execute(world, WATCH).await;
    session
}

async fn execute(world: &World, sql: &'static str) {
    sqlx::raw_sql(sql).execute(world.client.pool().unwrap()).await.unwrap();
}

async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(world.client.pool().unwrap()).await.unwrap()
}

async fn most_at_once(world: &World) -> i64 {
    count(world, "select max(sum)::bigint from (select sum(gates) from touched group by transaction) as touched").await
}

/// Gates that are to be looked at now.
async fn due(world: &World) -> i64 {
    count(world, "select count(*) from pgq.gate where opens < '2026-01-02'").await
}

#[tokio::test]
async fn a_version_that_changes_their_limit_looks_at_a_thousand_values_at_once() {
    let world = World::postgres().await;
    let _session = many_wait(&world).await;
    version(&world, DAY / 2).await;
    assert_eq!((due(&world).await, most_at_once(&world).await), (VALUES, 1_000));
}

#[tokio::test]
async fn who_sets_their_limit_looks_at_a_thousand_values_at_once() {
    let world = World::postgres().await;
    let _session = many_wait(&world).await;
    world.client.set_limit(LimitRef::task("a").key("key"), Allow::everything()).await.unwrap();
    assert_eq!((due(&world).await, most_at_once(&world).await), (VALUES, 1_000));
}

#[tokio::test]
async fn values_that_nobody_has_looked_at_since_their_limit_changed_are_looked_at_soon() {
    let world = World::postgres().await;
    let session = many_wait(&world).await;
    execute(&world, DIE).await;
    version(&world, DAY / 2).await;
    assert_eq!(due(&world).await, 1_000);
    execute(&world, "drop trigger die on pgq.gate").await;
    session.prune(9).await.unwrap();
    assert_eq!(due(&world).await, VALUES);
}
