//! Stopping jobs by wish.

use std::time::Duration;

use pgq::backend::{Cancelled, Renewal, Transition};
use pgq::{Cancellation, Context, FailureKind, JobId, Result, State};

use crate::world::{SPAN, World, after, claim, end, job, notice, retry};

pub(crate) async fn a_queued_job_is_cancelled_at_once(world: World) -> Result<()> {
    let minute = Duration::from_mins(1);
    let put = world.put(vec![job("a"), job("a"), after("a", minute)]).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], retry(minute)).await?;
    for id in put {
        assert_eq!(world.client.cancel(id, "on second thought").await?, Cancellation::Done);
        let cancelled = world.job(id).await?;
        assert_eq!((cancelled.state, cancelled.finished), (State::Cancelled, Some(world.clock.now())));
        let failure = cancelled.failures.last().unwrap();
        assert_eq!((failure.kind, &*failure.message), (FailureKind::Cancelled, "on second thought"));
    }
    world.clock.advance(minute);
    session.promote(10).await?;
    assert!(claim(&session, &["a"], 9).await?.is_empty());
    Ok(())
}

pub(crate) async fn a_finished_job_cannot_be_cancelled_and_it_is_said(world: World) -> Result<()> {
    let put = world.put(vec![job("a"), job("a")]).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Complete).await?;
    world.client.cancel(put[1], "").await?;
    assert_eq!(world.client.cancel(put[0], "").await?, Cancellation::Finished(State::Completed));
    assert_eq!(world.client.cancel(put[1], "").await?, Cancellation::Finished(State::Cancelled));
    assert_eq!(world.client.cancel(JobId(i64::MAX), "").await?, Cancellation::Unknown);
    Ok(())
}

pub(crate) async fn thousands_are_cancelled_in_one_call_with_an_answer_for_each(world: World) -> Result<()> {
    let put = world.put((0..10_000).map(|_| job("a")).collect()).await?;
    let session = world.session(&["a"]).await?;
    let running = claim(&session, &["a"], 1).await?[0].id;
    let mut ids = put.clone();
    ids.insert(5, JobId(i64::MAX));
    let answers = world.client.cancel_many(ids.clone(), "enough").await?;
    assert_eq!(answers.iter().map(|answer| answer.0).collect::<Vec<_>>(), ids);
    let of = |wanted| answers.iter().filter(|answer| answer.1 == wanted).count();
    assert_eq!((of(Cancellation::Done), of(Cancellation::Asked), of(Cancellation::Unknown)), (9_999, 1, 1));
    assert_eq!(world.state(running).await?, State::Running);
    Ok(())
}

pub(crate) async fn the_holder_of_a_running_job_is_told(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let session = world.sleeper(&["a"]).await?;
    let mut pulse = session.attend().await?;
    let won = claim(&session, &["a"], 1).await?;
    assert_eq!(world.client.cancel(won[0].id, "enough").await?, Cancellation::Asked);
    assert!(notice(&mut pulse).await.told);
    let told = pgq::backend::Cancelled { id: won[0].id, epoch: 1, why: "enough".to_owned() };
    assert_eq!(pulse.renew().await?, pgq::backend::Renewal::Alive { cancelled: vec![told] });
    Ok(())
}

#[pgq::task]
async fn linger(ctx: Context) -> std::result::Result<(), pgq::BoxError> {
    ctx.cancelled().await;
    Err("told to end".into())
}

pub(crate) async fn a_running_job_is_cancelled_when_its_handler_ends(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![linger], ()).await?;
    let id = linger::enqueue(&world.client, ()).await?.id();
    assert_eq!(worker.start().await?, 1);
    assert_eq!(world.client.cancel(id, "enough").await?, Cancellation::Asked);
    worker.beat().await?;
    worker.settle().await?;
    let cancelled = world.job(id).await?;
    assert_eq!((cancelled.state, cancelled.attempt), (State::Cancelled, 1));
    assert_eq!(cancelled.failures[0].message, "enough");
    Ok(())
}

pub(crate) async fn a_wish_to_cancel_outlives_the_worker_that_died(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let (dying, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    claim(&dying, &["a"], 1).await?;
    world.client.cancel(id, "enough").await?;
    world.clock.advance(SPAN + Duration::from_micros(1));
    other.attend().await?.renew().await?;
    other.rescue(10).await?;
    assert_eq!(world.state(id).await?, State::Cancelled);
    Ok(())
}

pub(crate) async fn a_wish_to_cancel_is_said_for_as_long_as_the_job_runs(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let mut pulse = session.attend().await?;
    let won = claim(&session, &["a"], 1).await?;
    world.client.cancel(won[0].id, "enough").await?;
    let told = Cancelled { id: won[0].id, epoch: won[0].epoch, why: "enough".to_owned() };
    for _ in 0..2 {
        assert_eq!(pulse.renew().await?, Renewal::Alive { cancelled: vec![told.clone()] }, "an answer may be lost");
    }
    end(&session, &won[0], Transition::Complete).await?;
    assert_eq!(pulse.renew().await?, Renewal::Alive { cancelled: Vec::new() });
    session.rescue(9).await?;
    assert_eq!(world.state(won[0].id).await?, State::Completed, "it came too late");
    Ok(())
}

pub(crate) async fn a_wish_to_cancel_outlives_a_job_that_is_handed_back(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    world.client.cancel(won[0].id, "enough").await?;
    session.release_all_but(Vec::new()).await?;
    session.attend().await?.renew().await?;
    session.rescue(9).await?;
    assert_eq!(world.state(won[0].id).await?, State::Cancelled);
    Ok(())
}

pub(crate) async fn a_job_that_is_retried_by_hand_is_not_cancelled_by_an_old_wish(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    world.client.cancel(won[0].id, "enough").await?;
    end(&session, &won[0], Transition::Complete).await?;
    world.client.retry(won[0].id).await?;
    session.attend().await?.renew().await?;
    session.rescue(9).await?;
    assert_eq!(world.state(won[0].id).await?, State::Available);
    Ok(())
}
