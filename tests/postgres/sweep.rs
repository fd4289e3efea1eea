//! Leases for which no worker answers.

use std::time::Duration;

use pgq::backend::Renewal;
use pgq::sqlx;
use pgq::{Result, State};

use crate::world::{World, claim, job};

async fn forget_workers(world: &World) {
    sqlx::query("delete from pgq.worker").execute(world.client.pool().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_job_of_a_worker_that_is_nowhere_runs_elsewhere() -> Result<()> {
    let world = World::postgres().await;
    let id = world.put_one(job("a")).await?;
    let lost = world.session(&["a"]).await?;
    claim(&lost, &["a"], 1).await?;
    forget_workers(&world).await;
    let other = world.session(&["a"]).await?;
    assert_eq!(other.rescue(10).await?.freed, 0, "nobody is gone");
    assert_eq!(other.sweep().await?, 1);
    assert_eq!(other.rescue(10).await?.freed, 1);
    assert_eq!(lost.attend().await?.renew().await?, Renewal::Gone);
    let found = world.job(id).await?;
    assert_eq!((found.state, found.crashes), (State::Available, 1));
    assert_eq!(found.failures[0].message, "the worker unknown:0 fell silent while it held the job");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_lives_is_not_swept_away() -> Result<()> {
    let world = World::postgres().await;
    world.put(vec![job("a"), job("a")]).await?;
    let (holder, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    claim(&holder, &["a"], 2).await?;
    assert_eq!(other.sweep().await?, 0);
    assert_ne!(holder.attend().await?.renew().await?, Renewal::Gone);
    Ok(())
}

#[tokio::test]
async fn the_fleet_sweeps_once_a_minute() -> Result<()> {
    let world = World::postgres().await;
    world.put(vec![job("a"), job("a")]).await?;
    let (one, lost) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    assert_eq!(one.sweep().await?, 0);
    claim(&lost, &["a"], 1).await?;
    forget_workers(&world).await;
    let other = world.session(&["a"]).await?;
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(other.sweep().await?, 0, "somebody has, less than a minute ago");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!((other.sweep().await?, one.sweep().await?), (1, 0));
    Ok(())
}
