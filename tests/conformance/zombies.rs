//! Workers whose lease is over while their attempts go on, and limits: what they do late changes nothing for who came after.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Declared, Limited, Session, Transition, Verdict};
use pgq::testing::Stepper;
use pgq::{BoxError, Context, Result, State};

use super::limits::Door;
use crate::world::{SPAN, World, claim, end, ids, retry, start};

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn haunt(ctx: Context<Door>, tenant: u32, number: u32) -> std::result::Result<(), BoxError> {
    let _ = (tenant, number);
    ctx.pass().await
}

#[pgq::task(concurrency = 2)]
async fn crowd(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

fn of(tenant: u32) -> impl Iterator<Item = HauntArgs> {
    (0..5).map(move |number| HauntArgs { tenant, number })
}

/// A worker whose lease ended while two attempts of it went on, and the one that runs their successors, with the doors of both.
async fn scene(world: &World) -> Result<(Stepper, Door, Stepper, Door)> {
    let (late, new) = (Door::new(), Door::new());
    let mut zombie = world.worker(pgq::tasks![haunt, crowd], late.clone()).await?;
    let mut successor = world.worker(pgq::tasks![haunt, crowd], new.clone()).await?;
    assert_eq!((start(&mut zombie).await?, start(&mut successor).await?), (2, 0));
    world.clock.advance(SPAN * 2);
    successor.beat().await?;
    assert_eq!(start(&mut successor).await?, 0, "nobody has said yet that its lease is over");
    successor.rescue().await?;
    assert_eq!(start(&mut successor).await?, 2);
    Ok((zombie, late, successor, new))
}

/// When attempts of a zombie end that lets nobody in; when those of its successor do, it does.
async fn is_kept(world: &World) -> Result<()> {
    let (mut zombie, late, mut successor, new) = scene(world).await?;
    assert_eq!((late.inside(), new.inside()), (2, 2), "limits are exact relative to leases");
    late.open(9);
    zombie.settle().await?;
    assert_eq!(late.inside(), 0);
    assert_eq!(start(&mut zombie).await? + start(&mut successor).await?, 0);
    zombie.leave().await?;
    successor.rescue().await?;
    assert_eq!((start(&mut successor).await?, new.inside()), (0, 2));
    new.open(2);
    successor.settle().await?;
    assert_eq!((start(&mut successor).await?, new.inside()), (2, 2));
    new.open(3);
    successor.settle().await?;
    assert_eq!(successor.drain().await?, 1);
    assert_eq!(world.client.jobs().state(State::Completed).count().await?.jobs, 5);
    Ok(())
}

pub(crate) async fn what_a_zombie_ends_frees_no_place_at_a_gate(world: World) -> Result<()> {
    haunt::enqueue_many(&world.client, of(7)).await?;
    is_kept(&world).await
}

pub(crate) async fn what_a_zombie_ends_frees_nothing_of_a_limit(world: World) -> Result<()> {
    crowd::enqueue_many(&world.client, 0..5).await?;
    is_kept(&world).await
}

async fn gated(world: &World) -> Result<Arc<dyn Session>> {
    let session = world.session(&["haunt"]).await?;
    let bounds = Bounds { concurrency: Some(2), rate: None };
    let limit = Limited {
        name: "task:haunt[tenant]".to_owned(),
        task: Some("haunt".to_owned()),
        sharers: Vec::new(),
        keyed: true,
        bounds,
    };
    let tasks = vec!["haunt".to_owned()];
    session.declare(Declared { tasks, schedules: Vec::new(), limits: vec![limit] }).await?;
    Ok(session)
}

pub(crate) async fn an_end_that_is_told_again_frees_no_place_that_was_taken_since(world: World) -> Result<()> {
    let session = gated(&world).await?;
    haunt::enqueue_many(&world.client, of(7)).await?;
    let first = claim(&session, &["haunt"], 9).await?;
    for job in &first {
        end(&session, job, Transition::Release).await?;
    }
    let again = claim(&session, &["haunt"], 9).await?;
    assert_eq!(ids(&again), ids(&first), "handed back, they keep their place");
    for job in &first {
        assert_eq!(end(&session, job, retry(Duration::ZERO)).await?, Verdict::Lost);
    }
    assert_eq!(claim(&session, &["haunt"], 9).await?, []);
    Ok(())
}

pub(crate) async fn what_a_zombie_hands_back_frees_no_place_at_a_gate(world: World) -> Result<()> {
    let (zombie, successor) = (gated(&world).await?, gated(&world).await?);
    haunt::enqueue_many(&world.client, of(7)).await?;
    let lost = claim(&zombie, &["haunt"], 9).await?;
    world.clock.advance(SPAN * 2);
    successor.attend().await?.renew().await?;
    successor.rescue(9).await?;
    assert_eq!(ids(&claim(&successor, &["haunt"], 9).await?), ids(&lost));
    zombie.release_all_but(Vec::new()).await?;
    zombie.deregister(false).await?;
    successor.promote(9).await?;
    assert_eq!(claim(&successor, &["haunt"], 9).await?, []);
    Ok(())
}
