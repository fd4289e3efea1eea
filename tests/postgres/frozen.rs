//! Whoever freezes with something locked that others need: the server cuts him off.

use std::time::Duration;

use pgq::sqlx::{self, PgPool, raw_sql};
use pgq::{Allow, Client, LimitRef};
use tokio::task::JoinHandle;

use super::locks::{lock_gate, lock_limit, until, until_waits};
use super::overtaken::three_at_once;
use crate::proxy::Proxy;
use crate::world::World;

/// Sooner than a frozen link breaks, and later than the server cuts off who is silent.
const SOON: Duration = Duration::from_secs(8);

#[pgq::task(limit(rps = 1, per = "24h", key = "shop"))]
async fn recall(shop: u32, number: u32) -> Result<(), pgq::BoxError> {
    let _ = (shop, number);
    Ok(())
}

/// The gate of its one shop.
const GATE: &str = "task:recall[shop]=7";

fn at_the_gate() -> LimitRef {
    LimitRef::of::<recall>().key("shop").value("7")
}

/// Jobs of which all but the first wait at the gate.
async fn scene() -> World {
    let world = World::postgres().await;
    let mut worker = world.worker(pgq::tasks![recall], ()).await.unwrap();
    recall::enqueue_many(&world.client, (0..4).map(|number| RecallArgs { shop: 7, number })).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    world
}

/// An operator whose link a test can freeze, at work on the gate.
async fn operator(world: &World) -> (Proxy, JoinHandle<()>) {
    let proxy = Proxy::to(world.database.as_ref().unwrap().options()).await.unwrap();
    let pool = PgPool::connect_with(proxy.options()).await.unwrap();
    let client = Client::builder().unwrap().clock(world.clock.clone()).pool(pool);
    let setting = async move { drop(client.set_limit(at_the_gate(), Allow::at_once(2)).await) };
    (proxy, tokio::spawn(setting))
}

/// Until he has done what he waited to do, and doesn't hear of it.
async fn idles(world: &World) {
    let idle =
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'";
    until(world, idle).await;
}

#[tokio::test]
async fn who_freezes_with_a_limit_locked_is_cut_off_soon() {
    let world = scene().await;
    let held = lock_gate(&world, GATE).await;
    let (proxy, setting) = operator(&world).await;
    until_waits(&world, "").await;
    proxy.freeze();
    held.rollback().await.unwrap();
    idles(&world).await;
    let other = world.client.set_limit(LimitRef::of::<recall>().key("shop"), Allow::at_once(3));
    tokio::time::timeout(SOON, other).await.expect("he is cut off").unwrap();
    setting.abort();
}

/// Before the server cuts anybody off.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn who_freezes_in_line_for_a_limit_holds_up_nobody() {
    let world = World::postgres().await;
    let proxy = Proxy::to(world.database.as_ref().unwrap().options()).await.unwrap();
    let pool = PgPool::connect_with(proxy.options()).await.unwrap();
    let client = Client::builder().unwrap().clock(world.clock.clone()).pool(pool);
    let behind = World::of(client, world.clock.clone(), None);
    let (session, asks) = three_at_once(&behind).await;
    let held = lock_limit(&world, "task:flock").await;
    let sharing = tokio::spawn(async move { session.share(asks).await });
    until_waits(&world, "and query like '%for update%'").await;
    proxy.freeze();
    held.rollback().await.unwrap();
    let next = tokio::time::timeout(AT_ONCE, lock_limit(&world, "task:flock")).await;
    drop(next.expect("nobody has it locked while he is frozen"));
    until(&world, "select count(*) from pgq.share where units = 3").await;
    sharing.abort();
}

/// Lets whoever is let go from a gate wait for this lock first.
const DETAIN: &str = "
    create function detain() returns trigger language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(7);
        return new;
      end $$;
    create trigger detain before update on pgq.job for each row
        when (old.lane = 2 and new.lane = 0) execute function detain()";

#[tokio::test]
async fn who_freezes_with_a_gate_locked_is_cut_off_soon() {
    let world = scene().await;
    let pool = world.client.pool().unwrap();
    raw_sql(DETAIN).execute(pool).await.unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *held).await.unwrap();
    let (proxy, setting) = operator(&world).await;
    until_waits(&world, "").await;
    proxy.freeze();
    held.rollback().await.unwrap();
    idles(&world).await;
    tokio::time::timeout(SOON, lock_gate(&world, GATE)).await.expect("he is cut off");
    setting.abort();
}
