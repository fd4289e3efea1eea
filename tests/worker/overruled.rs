//! A worker of which another program's set has the last word about a limit that they share.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgq::Result;
use pgq::testing::stepper;

use super::faults::{Faults, wayward_over};
use crate::world::World;

const RARELY: Duration = Duration::from_secs(10);

#[pgq::task(limit(name = "isthmus", concurrency = 2))]
async fn portage() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(limit(name = "isthmus", concurrency = 5))]
async fn caravan() -> Result<(), pgq::BoxError> {
    Ok(())
}

async fn most(world: &World) -> Result<Option<u32>> {
    let limits = world.client.limits().await?;
    Ok(limits.iter().find(|limit| limit.name == "isthmus").expect("it is there").bounds.concurrency)
}

async fn who_is_overruled_puts_in_what_it_says_once_the_other_one_has_left(world: World) -> Result<()> {
    let faults = Arc::new(Faults::default());
    let client = wayward_over(&world.client, &world.clock, &faults)?;
    let mut here = stepper(&client, pgq::tasks![portage], ()).await?;
    let mut there = stepper(&client, pgq::tasks![caravan], ()).await?;
    for _ in 0..6 {
        world.clock.advance(RARELY);
        here.share().await?;
        there.share().await?;
    }
    let declared = || faults.declared.load(Ordering::SeqCst);
    assert_eq!(declared(), 2, "only as they began");
    assert_eq!(most(&world).await?, Some(5));
    there.leave().await?;
    world.clock.advance(RARELY);
    here.share().await?;
    assert_eq!((declared(), most(&world).await?), (3, Some(2)));
    world.clock.advance(RARELY);
    here.share().await?;
    assert_eq!(declared(), 3, "it has the last word");
    Ok(())
}

#[tokio::test]
async fn who_is_overruled_puts_in_what_it_says_once_the_other_one_has_left_in_memory() -> Result<()> {
    who_is_overruled_puts_in_what_it_says_once_the_other_one_has_left(World::memory()).await
}

#[tokio::test]
async fn who_is_overruled_puts_in_what_it_says_once_the_other_one_has_left_in_postgres() -> Result<()> {
    who_is_overruled_puts_in_what_it_says_once_the_other_one_has_left(World::postgres().await).await
}
