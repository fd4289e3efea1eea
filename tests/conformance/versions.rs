//! Limits while two versions of a program run side by side, or one is rolled back.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Ask, Bounds, Declared, Limited, Measure, PoolName, Rate, Session};
use pgq::{Allow, BoxError, Context, LimitRef, Result};

use super::limits::Door;
use crate::world::{World, start};

#[pgq::task]
async fn ferry(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "sluice", concurrency = 4))]
async fn barge(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

/// A worker of a later version, in which these tasks share a limit of four at once.
async fn later(world: &World, limit: &str, tasks: &[&str]) -> Result<Arc<dyn Session>> {
    let bounds = Bounds { concurrency: Some(4), rate: None };
    let names = || tasks.iter().map(|task| (*task).to_owned()).collect();
    let limit = Limited { name: format!("shared:{limit}"), task: None, sharers: names(), keyed: false, bounds };
    let session = world.session(tasks).await?;
    session.declare(Declared { tasks: names(), schedules: Vec::new(), limits: vec![limit] }).await?;
    Ok(session)
}

/// How many of four attempts at once a worker gets.
async fn takes(session: &Arc<dyn Session>, limit: &str) -> Result<u32> {
    let name = PoolName { limit: format!("shared:{limit}").into(), measure: Measure::Concurrency };
    let views = session.pools().await?;
    let begun = views.iter().find(|view| view.pool == name).map_or(0, |view| view.portion.begun);
    let ask = Ask { keep: u32::MAX, wish: 4, begun, ..Ask::default() };
    Ok(session.share(vec![(name, ask)]).await?[0].1.units)
}

pub(crate) async fn a_shared_limit_counts_what_a_version_runs_that_does_not_name_it(world: World) -> Result<()> {
    let door = Door::new();
    let mut old = world.worker(pgq::tasks![ferry], door.clone()).await?;
    ferry::enqueue_many(&world.client, 0..3).await?;
    assert_eq!(start(&mut old).await?, 3);
    let new = later(&world, "strait", &["ferry"]).await?;
    assert_eq!(takes(&new, "strait").await?, 0, "the other one hasn't said yet what it runs");
    ferry::enqueue_many(&world.client, 0..9).await?;
    assert_eq!(start(&mut old).await?, 0);
    assert_eq!(takes(&new, "strait").await?, 1, "three run elsewhere");
    Ok(())
}

pub(crate) async fn a_task_that_joins_a_shared_limit_brings_what_a_version_before_runs_of_it(
    world: World,
) -> Result<()> {
    let door = Door::new();
    let mut old = world.worker(pgq::tasks![ferry, barge], door.clone()).await?;
    ferry::enqueue_many(&world.client, 0..3).await?;
    barge::enqueue(&world.client, 0).await?;
    assert_eq!(start(&mut old).await?, 4);
    let new = later(&world, "sluice", &["ferry", "barge"]).await?;
    assert_eq!(takes(&new, "sluice").await?, 0, "the other one hasn't said yet what it runs");
    old.share().await?;
    assert_eq!(takes(&new, "sluice").await?, 0, "all four run elsewhere");
    door.open(1);
    while door.inside() > 3 {
        tokio::task::yield_now().await;
    }
    old.share().await?;
    assert_eq!(takes(&new, "sluice").await?, 1);
    Ok(())
}

/// What a worker gets of a rate of a burst of five that its code is the first to declare, in millionths of a start.
async fn first_tokens(world: &World) -> Result<u64> {
    let bounds = Bounds { concurrency: None, rate: Rate::every(Duration::from_secs(1), 5) };
    let (name, task) = ("task:send".to_owned(), Some("send".to_owned()));
    let limit = Limited { name, task, sharers: Vec::new(), keyed: false, bounds };
    let declared = Declared { tasks: vec!["send".to_owned()], schedules: Vec::new(), limits: vec![limit] };
    let session = world.session(&["send"]).await?;
    session.declare(declared).await?;
    let ask = Ask { keep: u32::MAX, wish: 5, ..Ask::default() };
    let name = PoolName { limit: "task:send".into(), measure: Measure::Rate };
    Ok(session.share(vec![(name, ask)]).await?[0].1.micros)
}

pub(crate) async fn a_rate_begins_full_where_nobody_ran_its_task(world: World) -> Result<()> {
    assert_eq!(first_tokens(&world).await?, 5_000_000);
    Ok(())
}

pub(crate) async fn a_rate_begins_with_nothing_where_a_version_runs_its_task_without_it(world: World) -> Result<()> {
    let old = world.session(&["send"]).await?;
    old.declare(Declared { tasks: vec!["send".to_owned()], ..Declared::default() }).await?;
    assert_eq!(first_tokens(&world).await?, 0);
    Ok(())
}

mod names {
    use super::{BoxError, Context, Door};

    #[pgq::task(name = "tow_before")]
    pub(super) async fn before(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.pass().await
    }

    #[pgq::task(name = "tow_after", aliases = ["tow_before"])]
    pub(super) async fn after(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.pass().await
    }
}

pub(crate) async fn what_is_set_of_a_task_outlives_the_rollback_of_its_name(world: World) -> Result<()> {
    let door = Door::new();
    let new = world.worker(pgq::tasks![names::after], door.clone()).await?;
    world.client.set_limit(LimitRef::of::<names::after>(), Allow::at_once(2)).await?;
    new.session().deregister(true).await?;
    let mut old = world.worker(pgq::tasks![names::before], door.clone()).await?;
    names::before::enqueue_many(&world.client, 0..9).await?;
    assert_eq!(start(&mut old).await?, 2);
    assert!(world.client.clear_limit(LimitRef::of::<names::before>()).await?);
    assert_eq!(world.client.limits().await?.len(), 0);
    assert_eq!(start(&mut old).await?, 7);
    Ok(())
}
