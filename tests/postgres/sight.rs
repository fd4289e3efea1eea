//! Workers whose connections have ended.

use std::time::Duration;

use pgq::State;
use pgq::backend::{Pulse, Renewal, Watched};
use pgq::sqlx::{self, PgPool};

use crate::world::{World, claim, job};

const HALF_A_SECOND: Duration = Duration::from_millis(500);
const NOBODY: Watched = Watched { gone: 0, missing: false };

async fn watch(pulse: &mut Box<dyn Pulse>) -> Watched {
    // What there is to be seen it sees with its beat.
    pulse.renew().await.unwrap();
    pulse.watch().await.unwrap()
}

/// The connections that hold the lock of a worker.
async fn connections(pool: &PgPool) -> Vec<i32> {
    let query = "select pid from pg_locks
                 where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";
    sqlx::query_scalar(query).fetch_all(pool).await.unwrap()
}

async fn cut_off(pool: &PgPool, pids: Vec<i32>) {
    sqlx::query("select pg_terminate_backend(pid) from unnest($1) as pid").bind(pids).execute(pool).await.unwrap();
}

/// Until the server has noticed that connections ended: it tells nobody.
async fn connections_are_down_to(pool: &PgPool, count: usize) {
    let down = async {
        while connections(pool).await.len() > count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), down).await.expect("connections end");
}

#[tokio::test]
async fn a_worker_whose_connections_ended_is_gone_half_a_second_after_it_was_missed() {
    let world = World::postgres().await;
    let id = world.put_one(job("a")).await.unwrap();
    let (killed, other) = (world.session(&["a"]).await.unwrap(), world.session(&["a"]).await.unwrap());
    let (beating, mut pulse) = (killed.attend().await.unwrap(), other.attend().await.unwrap());
    claim(&killed, &["a"], 1).await.unwrap();
    assert_eq!(watch(&mut pulse).await, NOBODY);
    drop((killed, beating));
    connections_are_down_to(world.client.pool().unwrap(), 2).await;
    assert_eq!(watch(&mut pulse).await, Watched { gone: 0, missing: true });
    assert_eq!(watch(&mut pulse).await, Watched { gone: 0, missing: true }, "no time has passed");
    world.clock.advance(HALF_A_SECOND);
    assert_eq!(watch(&mut pulse).await.gone, 1);
    assert_eq!(watch(&mut pulse).await, NOBODY, "who is gone isn't missed");
    assert_eq!(other.rescue(10).await.unwrap().freed, 1);
    assert_eq!(world.state(id).await.unwrap(), State::Available);
}

#[tokio::test]
async fn a_worker_that_connects_again_is_not_gone() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let cut = world.session(&["a"]).await.unwrap();
    let mut beating = cut.attend().await.unwrap();
    let its = connections(pool).await;
    let other = world.session(&["a"]).await.unwrap();
    let mut pulse = other.attend().await.unwrap();
    assert_eq!(watch(&mut pulse).await, NOBODY);
    cut_off(pool, its).await;
    connections_are_down_to(pool, 2).await;
    assert!(watch(&mut pulse).await.missing);
    assert!(beating.renew().await.is_err(), "its connection is gone");
    drop(beating);
    let mut beating = cut.attend().await.unwrap();
    assert_ne!(beating.renew().await.unwrap(), Renewal::Gone);
    world.clock.advance(HALF_A_SECOND);
    assert_eq!(watch(&mut pulse).await, NOBODY);
}

#[tokio::test]
async fn who_connects_anew_has_seen_nobody_and_misses_nobody() {
    let world = World::postgres().await;
    let (killed, other) = (world.session(&["a"]).await.unwrap(), world.session(&["a"]).await.unwrap());
    let mut pulse = other.attend().await.unwrap();
    assert_eq!(watch(&mut pulse).await, NOBODY);
    let pool = world.client.pool().unwrap();
    drop((killed, pulse));
    connections_are_down_to(pool, 1).await;
    let mut pulse = other.attend().await.unwrap();
    for _ in 0..3 {
        assert_eq!(watch(&mut pulse).await, NOBODY, "its lease is what counts now");
        world.clock.advance(HALF_A_SECOND);
    }
}

#[tokio::test]
async fn a_worker_that_starts_and_is_killed_between_two_looks_is_missed() {
    let world = World::postgres().await;
    let other = world.session(&["a"]).await.unwrap();
    let mut pulse = other.attend().await.unwrap();
    assert_eq!(watch(&mut pulse).await, NOBODY);
    let killed = world.session(&["a"]).await.unwrap();
    drop(killed);
    connections_are_down_to(world.client.pool().unwrap(), 2).await;
    assert!(watch(&mut pulse).await.missing, "it has registered, so it was there");
    world.clock.advance(HALF_A_SECOND);
    assert_eq!(watch(&mut pulse).await.gone, 1);
}

#[tokio::test]
async fn a_worker_that_beats_and_is_killed_between_two_looks_is_missed() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let (killed, other) = (world.session(&["a"]).await.unwrap(), world.session(&["a"]).await.unwrap());
    // As after everybody was cut off: this one is the first to be back.
    cut_off(pool, connections(pool).await).await;
    connections_are_down_to(pool, 0).await;
    let mut pulse = other.attend().await.unwrap();
    assert_eq!(watch(&mut pulse).await, NOBODY, "it may come back yet");
    world.clock.advance(HALF_A_SECOND);
    let mut beating = killed.attend().await.unwrap();
    beating.renew().await.unwrap();
    drop((beating, killed));
    connections_are_down_to(pool, 1).await;
    assert!(watch(&mut pulse).await.missing, "it has beaten, so it was there");
    world.clock.advance(HALF_A_SECOND);
    assert_eq!(watch(&mut pulse).await.gone, 1);
}

#[tokio::test]
async fn a_worker_whose_connections_tell_nothing_is_left_to_its_lease() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let other = world.session(&["a"]).await.unwrap();
    let mut pulse = other.attend().await.unwrap();
    assert_eq!(watch(&mut pulse).await, NOBODY);
    let killed = world.session(&["a"]).await.unwrap();
    // As where it had registered through a pooler.
    let hide = sqlx::query("update pgq.worker set visible = false where id = $1").bind(killed.lease().0);
    hide.execute(pool).await.unwrap();
    drop(killed);
    connections_are_down_to(pool, 2).await;
    for _ in 0..3 {
        assert_eq!(watch(&mut pulse).await, NOBODY);
        world.clock.advance(HALF_A_SECOND);
    }
}
