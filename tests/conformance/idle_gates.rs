//! Gates of limit keys that nobody has used for a while are forgotten, and nothing is with them.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Claimed, Declared, Limited, Rate, Session, Transition};
use pgq::{Allow, BoxError, LimitRef, Result};

use crate::world::{World, claim, end};

const HOUR: Duration = Duration::from_hours(1);

#[pgq::task(limit(concurrency = 1, key = "lock"))]
async fn turn(lock: u32, key: u32) -> std::result::Result<(), BoxError> {
    let _ = (lock, key);
    Ok(())
}

async fn session(world: &World, bounds: Bounds) -> Result<Arc<dyn Session>> {
    let session = world.session(&["turn"]).await?;
    let task = Some("turn".to_owned());
    let limit = Limited { name: "task:turn[lock]".to_owned(), task, sharers: Vec::new(), keyed: true, bounds };
    session.declare(Declared { tasks: vec!["turn".to_owned()], schedules: Vec::new(), limits: vec![limit] }).await?;
    Ok(session)
}

const fn most(concurrency: u32) -> Bounds {
    Bounds { concurrency: Some(concurrency), rate: None }
}

async fn put(world: &World, locks: impl IntoIterator<Item = u32>) -> Result<()> {
    turn::enqueue_many(&world.client, locks.into_iter().map(|lock| TurnArgs { lock, key: 1 })).await.map(drop)
}

async fn release(session: &Arc<dyn Session>, won: &[Claimed]) -> Result<()> {
    for job in won {
        end(session, job, Transition::Release).await?;
    }
    Ok(())
}

/// How many rows went in all, in steps of two.
async fn prune(session: &Arc<dyn Session>) -> Result<u64> {
    let mut all = 0;
    loop {
        match session.prune(2).await?.rows {
            0 => return Ok(all),
            some => all += some,
        }
    }
}

pub(crate) async fn a_gate_at_rest_is_forgotten_and_back_when_it_is_needed(world: World) -> Result<()> {
    let session = session(&world, most(1)).await?;
    put(&world, 0..5).await?;
    let won = claim(&session, &["turn"], 9).await?;
    release(&session, &won).await?;
    world.clock.advance(HOUR - Duration::from_secs(1));
    assert_eq!(prune(&session).await?, 0, "it may be needed again soon");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(session.prune(2).await?.rows, 2, "no more than it is told to");
    assert_eq!(prune(&session).await?, 3);
    put(&world, 0..5).await?;
    let won = claim(&session, &["turn"], 99).await?;
    assert_eq!(won.len(), 5, "one of each");
    assert_eq!(prune(&session).await?, 0);
    release(&session, &won).await?;
    world.clock.advance(HOUR);
    assert_eq!(claim(&session, &["turn"], 99).await?.len(), 5);
    Ok(())
}

pub(crate) async fn a_gate_that_somebody_has_passed_or_waits_at_is_kept(world: World) -> Result<()> {
    let session = session(&world, most(1)).await?;
    put(&world, [7, 7, 7, 8]).await?;
    let won = claim(&session, &["turn"], 9).await?;
    assert_eq!(won.len(), 2);
    world.clock.advance(HOUR);
    assert_eq!(prune(&session).await?, 0);
    assert_eq!(claim(&session, &["turn"], 9).await?, []);
    end(&session, &won[0], Transition::Discard { failure: crate::world::failure() }).await?;
    assert_eq!(claim(&session, &["turn"], 9).await?.len(), 1);
    Ok(())
}

pub(crate) async fn a_rate_that_has_starts_to_forget_is_kept(world: World) -> Result<()> {
    let bounds = Bounds { concurrency: None, rate: Rate::every(HOUR * 3, 1) };
    let session = session(&world, bounds).await?;
    put(&world, [7]).await?;
    let won = claim(&session, &["turn"], 9).await?;
    release(&session, &won).await?;
    world.clock.advance(HOUR * 2);
    assert_eq!(prune(&session).await?, 0);
    assert_eq!(claim(&session, &["turn"], 9).await?, []);
    world.clock.advance(HOUR);
    session.promote(9).await?;
    let won = claim(&session, &["turn"], 9).await?;
    assert_eq!(won.len(), 1);
    release(&session, &won).await?;
    world.clock.advance(HOUR * 3);
    session.promote(9).await?;
    assert_eq!(prune(&session).await?, 1);
    assert_eq!(claim(&session, &["turn"], 9).await?.len(), 1);
    Ok(())
}

pub(crate) async fn what_is_set_of_a_value_is_kept(world: World) -> Result<()> {
    let session = session(&world, most(1)).await?;
    let vip = || LimitRef::of::<turn>().key("lock").value("7");
    world.client.set_limit(vip(), Allow::at_once(2)).await?;
    world.clock.advance(HOUR);
    assert_eq!(prune(&session).await?, 0);
    put(&world, [7, 7, 7]).await?;
    let won = claim(&session, &["turn"], 9).await?;
    assert_eq!(won.len(), 2);
    release(&session, &won).await?;
    assert!(world.client.clear_limit(vip()).await?);
    session.promote(9).await?;
    let won = claim(&session, &["turn"], 1).await?;
    assert_eq!((won.len(), prune(&session).await?), (1, 0));
    release(&session, &won).await?;
    Ok(())
}
