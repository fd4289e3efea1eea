//! What is kept of a job, and for how long.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Claimed, Ended, Session, Transition};
use pgq::{Cancellation, JobId, Result, Retrial};

use crate::world::{World, claim, declaration, end, ended, failure, job, retry};

const HOUR: Duration = Duration::from_hours(1);

/// A job that failed once and is claimed again.
async fn claimed_again(world: &World, session: &Arc<dyn Session>) -> Result<Claimed> {
    world.put_one(job("a")).await?;
    let won = claim(session, &["a"], 1).await?;
    end(session, &won[0], retry(Duration::ZERO)).await?;
    Ok(claim(session, &["a"], 1).await?.remove(0))
}

/// How many failures are kept of a job, whatever became of itself.
async fn failures(world: &World, id: JobId) -> Result<usize> {
    if let Ok(pool) = world.hearing.pool() {
        let query = pgq::sqlx::query_scalar("select count(*) from pgq.failure where job = $1").bind(id.0);
        let count: i64 = query.fetch_one(pool).await.expect("they can be counted");
        return Ok(count.try_into().unwrap_or_default());
    }
    Ok(world.client.get(id).await?.map_or(0, |job| job.failures.len()))
}

pub(crate) async fn failures_go_with_their_job(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let won = claimed_again(&world, &session).await?;
    world.clock.advance(Duration::from_hours(24 * 90));
    assert_eq!(session.prune(10).await?.rows, 0);
    assert_eq!(failures(&world, won.id).await?, 1, "as long as it is queued they stay");
    end(&session, &won, Transition::Discard { failure: failure() }).await?;
    assert_eq!(failures(&world, won.id).await?, 2);
    world.clock.advance(HOUR);
    assert_eq!(session.prune(10).await?.rows, 1);
    assert_eq!(failures(&world, won.id).await?, 0);
    Ok(())
}

pub(crate) async fn a_retry_by_hand_keeps_the_failures(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let won = claimed_again(&world, &session).await?;
    end(&session, &won, Transition::Discard { failure: failure() }).await?;
    assert_eq!(world.client.retry(won.id).await?, Retrial::Done);
    world.clock.advance(HOUR);
    assert_eq!(session.prune(10).await?.rows, 0);
    assert_eq!(failures(&world, won.id).await?, 2);
    Ok(())
}

pub(crate) async fn what_is_not_kept_leaves_no_failures(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    for transition in
        [Transition::Complete, Transition::Cancel { failure: failure() }, Transition::Discard { failure: failure() }]
    {
        let won = claimed_again(&world, &session).await?;
        let kept = claimed_again(&world, &session).await?;
        let unkept = Ended { keep: Duration::ZERO, ..ended(&won, transition.clone()) };
        session.finish(&[unkept, ended(&kept, transition)]).await?;
        assert_eq!(failures(&world, won.id).await?, 0);
        assert!(failures(&world, kept.id).await? > 0);
    }
    Ok(())
}

pub(crate) async fn a_job_keeps_its_last_hundred_failures(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let id = world.put_one(job("a")).await?;
    for _ in 0..103 {
        let won = claim(&session, &["a"], 1).await?;
        end(&session, &won[0], retry(Duration::ZERO)).await?;
    }
    let kept = world.job(id).await?.failures;
    assert_eq!((kept.len(), kept[0].epoch, kept[99].epoch), (100, 4, 103));
    assert_eq!(failures(&world, id).await?, 100);
    Ok(())
}

pub(crate) async fn pruning_goes_in_bounded_steps(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let put = world.put((0..5).map(|_| job("a")).collect()).await?;
    for won in claim(&session, &["a"], 5).await? {
        end(&session, &won, Transition::Complete).await?;
    }
    world.clock.advance(HOUR);
    for rows in [2, 2, 1, 0] {
        assert_eq!(session.prune(2).await?.rows, rows);
    }
    assert_eq!(world.client.get(put[4]).await?, None);
    Ok(())
}

pub(crate) async fn a_cancelled_job_is_kept_as_its_task_declares(world: World) -> Result<()> {
    let options = |cancelled: Duration| serde_json::json!({"keep": {"cancelled": cancelled.as_micros()}});
    let declared = [("none", Duration::ZERO), ("hour", HOUR)];
    let tasks = declared.map(|(name, keep)| declaration(name, options(keep))).to_vec();
    let session = world.session_declaring(tasks).await?;
    let put = world.put(vec![job("none"), job("hour")]).await?;
    for won in claim(&session, &["none", "hour"], 2).await? {
        end(&session, &won, retry(Duration::ZERO)).await?;
    }
    for id in &put {
        assert_eq!(world.client.cancel(*id, "enough").await?, Cancellation::Done);
    }
    assert_eq!(world.client.get(put[0]).await?, None);
    assert_eq!((failures(&world, put[0]).await?, failures(&world, put[1]).await?), (0, 2));
    world.clock.advance(HOUR);
    assert_eq!(session.prune(10).await?.rows, 1);
    Ok(())
}
