//! Who is woken, and who is let sleep.
//!
//! That nobody was woken can't be waited for. So each of those tests ends with something that does wake, for another
//! reason, and sees that the reason comes alone: notices come in the order of their commits.

use std::time::Duration;

use pgq::Result;
use pgq::backend::{Notice, Transition};

use crate::world::{World, after, claim, end, in_queue, job, notice, retry, want};

const NAP: Duration = Duration::from_mins(5);
const SOON: Duration = Duration::from_millis(500);
const WORK: Notice = Notice { work: true, soon: false, told: false, limits: false };
const DUE: Notice = Notice { work: false, soon: true, told: false, limits: false };

pub(crate) async fn a_sleeper_is_woken_by_work_it_can_do(world: World) -> Result<()> {
    let session = world.sleeper(&["a", "b"]).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(NAP)).await?;
    world.put_one(job("b")).await?;
    assert_eq!(notice(&mut pulse).await, WORK);
    Ok(())
}

pub(crate) async fn a_sleeper_is_not_woken_by_work_of_others(world: World) -> Result<()> {
    let session = world.sleeper(&["a"]).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(NAP)).await?;
    world.put(vec![job("b"), in_queue("a", "mail"), after("a", NAP)]).await?;
    world.put_one(after("a", SOON)).await?;
    assert_eq!(notice(&mut pulse).await, DUE);
    Ok(())
}

pub(crate) async fn a_worker_that_is_awake_is_not_woken(world: World) -> Result<()> {
    let session = world.sleeper(&["a"]).await?;
    let mut pulse = session.attend().await?;
    world.put_one(job("a")).await?;
    session.doze(Some(NAP)).await?;
    session.doze(None).await?;
    world.put_one(job("a")).await?;
    session.doze(Some(NAP)).await?;
    world.clock.advance(NAP);
    world.put_one(job("a")).await?;
    session.doze(Some(NAP)).await?;
    world.put_one(after("a", SOON)).await?;
    assert_eq!(notice(&mut pulse).await, DUE, "not by what came before, between, or after the nap had run out");
    Ok(())
}

pub(crate) async fn a_transaction_wakes_when_it_is_committed(world: World) -> Result<()> {
    let session = world.sleeper(&["a"]).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(NAP)).await?;
    for commit in [false, true] {
        let transaction = world.client.backend().begin().await?;
        transaction.enqueue(vec![if commit { after("a", SOON) } else { job("a") }]).await?;
        if commit { transaction.commit().await? } else { transaction.rollback().await? }
    }
    assert_eq!(notice(&mut pulse).await, DUE);
    Ok(())
}

pub(crate) async fn promotion_wakes_a_sleeper(world: World) -> Result<()> {
    world.put_one(after("a", NAP)).await?;
    let (session, other) = (world.sleeper(&["a"]).await?, world.session(&["a"]).await?);
    let mut pulse = session.attend().await?;
    world.clock.advance(NAP);
    session.doze(Some(NAP)).await?;
    other.promote(10).await?;
    assert_eq!(notice(&mut pulse).await, WORK);
    Ok(())
}

pub(crate) async fn promotion_wakes_nobody_for_one_job_that_the_asker_would_claim(world: World) -> Result<()> {
    world.put_one(after("a", NAP)).await?;
    let (session, other) = (world.sleeper(&["a"]).await?, world.session(&["a"]).await?);
    let mut pulse = session.attend().await?;
    world.clock.advance(NAP);
    session.doze(Some(NAP)).await?;
    let promoted = other.promote_beside(10, [want("default", "a", 1)].into()).await?;
    assert_eq!((promoted.moved, promoted.heard), (1, false));
    world.put_one(after("a", SOON)).await?;
    assert_eq!(notice(&mut pulse).await, DUE);
    for (wants, jobs) in
        [(vec![want("default", "b", 1), want("default", "a", 0)], 1), (vec![want("default", "a", 9)], 2)]
    {
        world.put(vec![after("a", NAP / 2); jobs]).await?;
        world.clock.advance(NAP / 2);
        session.doze(Some(NAP)).await?;
        let promoted = other.promote_beside(10, wants.into()).await?;
        assert!(promoted.heard, "{promoted:?}");
        assert_eq!(notice(&mut pulse).await, WORK);
    }
    Ok(())
}

pub(crate) async fn promotion_says_whether_enough_were_woken(world: World) -> Result<()> {
    let (session, other) = (world.sleeper(&["a"]).await?, world.session(&["a"]).await?);
    for (asleep, jobs, heard) in [(false, 1, false), (true, 16, true), (true, 17, false), (true, 0, false)] {
        world.put(vec![after("a", NAP); jobs]).await?;
        world.clock.advance(NAP);
        session.doze(asleep.then_some(NAP)).await?;
        let promoted = other.promote(20).await?;
        assert_eq!((promoted.moved as usize, promoted.heard), (jobs, heard));
    }
    Ok(())
}

pub(crate) async fn a_release_wakes_a_sleeper(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let (session, other) = (world.sleeper(&["a"]).await?, world.session(&["a"]).await?);
    let won = claim(&other, &["a"], 1).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(NAP)).await?;
    end(&other, &won[0], Transition::Release).await?;
    assert_eq!(notice(&mut pulse).await, WORK);
    Ok(())
}

pub(crate) async fn what_is_due_soon_wakes_a_sleeper_to_promote_it(world: World) -> Result<()> {
    let session = world.sleeper(&["a"]).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(NAP)).await?;
    world.put_one(after("a", SOON)).await?;
    assert_eq!(notice(&mut pulse).await, DUE);
    Ok(())
}

pub(crate) async fn a_retry_that_is_due_before_the_next_look_wakes_a_sleeper(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let (session, other) = (world.sleeper(&["a"]).await?, world.session(&["a"]).await?);
    let won = claim(&other, &["a"], 1).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(NAP)).await?;
    end(&other, &won[0], retry(SOON * 3)).await?;
    assert_eq!(notice(&mut pulse).await, DUE);
    Ok(())
}
