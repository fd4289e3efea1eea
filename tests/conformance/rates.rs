//! The rate of a limit without a key changes: until then what nobody has of it has filled by the one before.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Ask, Bounds, Declared, Measure, Rate, Session};
use pgq::{Allow, LimitRef, Result};

use super::shares::{TOKEN, ask, limited, worker};
use crate::world::{SECOND, World};

const MINUTE: Duration = Duration::from_mins(1);

fn every(interval: Duration, burst: u32) -> Declared {
    limited(Bounds { concurrency: None, rate: Rate::every(interval, burst) })
}

async fn set(world: &World, interval: Duration, burst: u32) -> Result<()> {
    world.client.set_limit(LimitRef::task("send"), Allow::everything().starts(1.0, interval).burst(burst)).await
}

/// How many units a worker has that takes what it can get, and what is in those that came.
async fn take(session: &Arc<dyn Session>) -> Result<(u32, u64)> {
    let portion = ask(session, Measure::Rate, Ask { keep: u32::MAX, wish: 99, ..Ask::default() }).await?;
    Ok((portion.units, portion.micros))
}

async fn give_back_empty(session: &Arc<dyn Session>) -> Result<()> {
    ask(session, Measure::Rate, Ask::default()).await.map(drop)
}

/// One that has started all that a rate allowed in one moment, and has nothing of it.
async fn spent(world: &World, interval: Duration, burst: u32) -> Result<Arc<dyn Session>> {
    let session = worker(world, &every(interval, burst)).await?;
    assert_eq!(take(&session).await?, (burst, u64::from(burst) * TOKEN));
    give_back_empty(&session).await?;
    Ok(session)
}

pub(crate) async fn a_rate_that_an_operator_raises_has_not_filled_faster_before(world: World) -> Result<()> {
    let session = spent(&world, MINUTE, 10).await?;
    world.clock.advance(SECOND * 30);
    set(&world, SECOND / 10, 10).await?;
    assert_eq!(take(&session).await?, (10, TOKEN / 2), "half a minute at one a minute");
    give_back_empty(&session).await?;
    world.clock.advance(SECOND / 2);
    world.client.clear_limit(LimitRef::task("send")).await?;
    world.clock.advance(MINUTE);
    assert_eq!(take(&session).await?, (10, 6 * TOKEN), "five in half a second, and one in a minute");
    Ok(())
}

pub(crate) async fn a_rate_that_another_version_raises_has_not_filled_faster_before(world: World) -> Result<()> {
    let session = spent(&world, MINUTE, 10).await?;
    world.clock.advance(SECOND * 30);
    let next = worker(&world, &every(SECOND / 10, 10)).await?;
    assert_eq!(take(&next).await?, (10, TOKEN / 2), "half a minute at one a minute");
    give_back_empty(&next).await?;
    session.deregister(true).await?;
    world.clock.advance(SECOND / 10);
    assert_eq!(take(&next).await?, (10, TOKEN));
    Ok(())
}

pub(crate) async fn a_rate_that_is_lowered_keeps_what_has_filled(world: World) -> Result<()> {
    let session = spent(&world, SECOND, 10).await?;
    world.clock.advance(SECOND * 5);
    set(&world, MINUTE, 10).await?;
    world.clock.advance(MINUTE);
    assert_eq!(take(&session).await?, (10, 6 * TOKEN));
    Ok(())
}

pub(crate) async fn a_burst_that_grows_comes_empty(world: World) -> Result<()> {
    let session = spent(&world, SECOND, 2).await?;
    world.clock.advance(MINUTE);
    set(&world, SECOND, 9).await?;
    assert_eq!(take(&session).await?, (9, 2 * TOKEN));
    Ok(())
}

pub(crate) async fn a_burst_that_shrinks_and_grows_again_has_lost_what_it_had(world: World) -> Result<()> {
    let session = worker(&world, &every(SECOND, 9)).await?;
    set(&world, SECOND, 2).await?;
    set(&world, SECOND, 9).await?;
    assert_eq!(take(&session).await?, (9, 2 * TOKEN));
    Ok(())
}
