//! Retrying by hand.

use std::time::Duration;

use pgq::backend::{NewJob, OnConflict, Transition, Unique};
use pgq::{JobId, Result, Retrial, State};

use crate::world::{World, claim, end, failure, job, notice, retry};

fn unique(window: Duration) -> NewJob {
    NewJob { unique: Some(Unique { key: "k".to_owned(), on_conflict: OnConflict::Reject, window }), ..job("a") }
}

pub(crate) async fn a_finished_job_is_available_again_with_attempts_granted_anew(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    for transition in
        [Transition::Complete, Transition::Cancel { failure: failure() }, Transition::Discard { failure: failure() }]
    {
        let id = world.put_one(NewJob { max_attempts: 3, ..job("a") }).await?;
        let won = claim(&session, &["a"], 1).await?;
        end(&session, &won[0], retry(Duration::ZERO)).await?;
        let won = claim(&session, &["a"], 1).await?;
        end(&session, &won[0], transition).await?;
        assert_eq!(world.client.retry(id).await?, Retrial::Done);
        let again = world.job(id).await?;
        assert_eq!((again.state, again.attempt, again.max_attempts, again.epoch), (State::Available, 2, 5, 2));
        assert_eq!((again.run_at, again.finished), (world.clock.now(), None));
        assert!(!again.failures.is_empty(), "what had happened stays");
        let won = claim(&session, &["a"], 1).await?;
        assert_eq!((won[0].id, won[0].attempt, won[0].epoch), (id, 3, 3));
        end(&session, &won[0], Transition::Complete).await?;
        world.client.retry(id).await?;
        assert_eq!(world.job(id).await?.max_attempts, 6, "three more, however often");
        world.client.cancel(id, "").await?;
    }
    Ok(())
}

pub(crate) async fn what_is_not_finished_or_kept_is_not_retried(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let put = world.put(vec![job("a"), job("a")]).await?;
    claim(&session, &["a"], 1).await?;
    let answers = world.client.retry_many([put[0], JobId(i64::MAX), put[1]]).await?;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.1).collect();
    assert_eq!(answers, [Retrial::Queued, Retrial::Unknown, Retrial::Queued]);
    Ok(())
}

pub(crate) async fn a_retried_job_takes_its_unique_key_again(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let id = world.put_one(unique(Duration::from_mins(1))).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Discard { failure: failure() }).await?;
    assert_eq!(world.client.retry(id).await?, Retrial::Done, "its own window doesn't stand in its way");
    assert_eq!(world.put_one(unique(Duration::ZERO)).await?, id);
    Ok(())
}

pub(crate) async fn a_job_whose_unique_key_is_taken_by_now_is_not_retried(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let id = world.put_one(unique(Duration::ZERO)).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Discard { failure: failure() }).await?;
    let next = world.put_one(unique(Duration::ZERO)).await?;
    assert_ne!(next, id);
    assert_eq!(world.client.retry(id).await?, Retrial::Duplicate);
    assert_eq!(world.state(id).await?, State::Discarded, "it is kept");
    Ok(())
}

pub(crate) async fn retrying_wakes_a_sleeper(world: World) -> Result<()> {
    let session = world.sleeper(&["a"]).await?;
    let id = world.put_one(job("a")).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Complete).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(Duration::from_mins(5))).await?;
    world.client.retry(id).await?;
    assert!(notice(&mut pulse).await.work);
    Ok(())
}
