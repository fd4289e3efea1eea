//! How attempts end.

use std::time::Duration;

use pgq::backend::{Ended, Failure, Transition, Verdict};
use pgq::{FailureKind, Result, State};

use crate::world::{RAN, World, claim, end, ended, failure, ids, job, retry};

const MINUTE: Duration = Duration::from_mins(1);

pub(crate) async fn a_completed_job_leaves_and_is_kept_for_its_time(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    world.clock.advance(MINUTE);
    assert_eq!(end(&session, &won[0], Transition::Complete).await?, Verdict::Written);
    let kept = world.job(id).await?;
    assert_eq!((kept.state, kept.finished, kept.attempt), (State::Completed, Some(world.clock.now()), 1));
    world.clock.advance(Duration::from_mins(59));
    assert_eq!(session.prune(10).await?.rows, 0);
    world.clock.advance(MINUTE);
    assert_eq!(session.prune(10).await?.rows, 1);
    assert_eq!(world.client.get(id).await?, None);
    Ok(())
}

pub(crate) async fn nothing_is_kept_where_nothing_is_asked_for(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    let ended = Ended { keep: Duration::ZERO, ..ended(&won[0], Transition::Complete) };
    assert_eq!(session.finish(&[ended]).await?, [Verdict::Written]);
    assert_eq!(world.client.get(id).await?, None);
    Ok(())
}

pub(crate) async fn a_retry_waits_and_counts(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], retry(MINUTE)).await?;
    assert_eq!(world.state(id).await?, State::Retryable);
    assert!(claim(&session, &["a"], 1).await?.is_empty());
    world.clock.advance(MINUTE);
    assert_eq!(world.state(id).await?, State::Available);
    session.promote(10).await?;
    assert_eq!(claim(&session, &["a"], 1).await?[0].attempt, 2);
    let failures = world.job(id).await?.failures;
    assert_eq!((failures.len(), failures[0].attempt, failures[0].kind), (1, 1, FailureKind::Error));
    assert_eq!(failures[0].message, "no route to host");
    Ok(())
}

pub(crate) async fn a_retry_without_delay_is_available_at_once(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], retry(Duration::ZERO)).await?;
    assert_eq!(world.state(id).await?, State::Available);
    assert_eq!(ids(&claim(&session, &["a"], 1).await?), [id]);
    Ok(())
}

pub(crate) async fn a_snooze_refunds_the_attempt(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Snooze { after: MINUTE }).await?;
    let snoozed = world.job(id).await?;
    assert_eq!((snoozed.state, snoozed.attempt, snoozed.epoch), (State::Scheduled, 0, 1));
    assert!(snoozed.failures.is_empty());
    Ok(())
}

pub(crate) async fn a_release_refunds_the_attempt_and_keeps_its_place(world: World) -> Result<()> {
    let first = world.put_one(job("a")).await?;
    world.clock.advance(MINUTE);
    let second = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    world.clock.advance(MINUTE);
    end(&session, &won[0], Transition::Release).await?;
    let released = world.job(first).await?;
    assert_eq!((released.state, released.attempt, released.epoch), (State::Available, 0, 1));
    assert_eq!(ids(&claim(&session, &["a"], 2).await?), [first, second]);
    Ok(())
}

pub(crate) async fn what_is_given_up_is_kept_with_its_failure(world: World) -> Result<()> {
    let put = world.put(vec![job("a"), job("a")]).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 2).await?;
    end(&session, &won[0], Transition::Discard { failure: failure() }).await?;
    end(&session, &won[1], Transition::Cancel { failure: failure() }).await?;
    for (id, state) in [(put[0], State::Discarded), (put[1], State::Cancelled)] {
        let kept = world.job(id).await?;
        assert_eq!((kept.state, kept.failures.len()), (state, 1));
    }
    Ok(())
}

pub(crate) async fn a_batch_ends_every_way_at_once(world: World) -> Result<()> {
    let ways = [
        (Transition::Complete, State::Completed),
        (retry(MINUTE), State::Retryable),
        (Transition::Snooze { after: MINUTE }, State::Scheduled),
        (Transition::Discard { failure: failure() }, State::Discarded),
        (Transition::Release, State::Available),
        (Transition::Cancel { failure: failure() }, State::Cancelled),
    ];
    let put = world.put(ways.iter().map(|_| job("a")).collect()).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 6).await?;
    let batch: Vec<_> = won.iter().zip(&ways).map(|(job, way)| ended(job, way.0.clone())).collect();
    assert_eq!(session.finish(&batch).await?, [Verdict::Written; 6]);
    for (id, (_, state)) in put.into_iter().zip(ways) {
        assert_eq!(world.state(id).await?, state);
    }
    Ok(())
}

pub(crate) async fn a_failure_says_who_ran_the_attempt_and_from_when_to_when(world: World) -> Result<()> {
    let put = world.put(vec![job("a"), job("a"), job("a")]).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 2).await?;
    world.clock.advance(MINUTE);
    end(&session, &won[0], retry(MINUTE)).await?;
    end(&session, &won[1], Transition::Discard { failure: failure() }).await?;
    for id in [put[0], put[1]] {
        let failure = world.job(id).await?.failures.remove(0);
        assert_eq!((failure.worker.as_deref(), failure.ended), (Some("test:1"), world.clock.now()));
        assert_eq!(failure.ended.since(failure.started.unwrap()), RAN);
    }
    world.client.cancel(put[2], "enough").await?;
    let cancelled = world.job(put[2]).await?.failures.remove(0);
    assert_eq!((cancelled.worker, cancelled.started), (None, None), "no attempt was running");
    Ok(())
}

pub(crate) async fn a_failure_that_is_written_late_says_when_it_was(world: World) -> Result<()> {
    let put = world.put(vec![job("a"), job("a")]).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 2).await?;
    let over = world.clock.now();
    world.clock.advance(MINUTE);
    let late = |job, transition| Ended { ago: MINUTE, ..ended(job, transition) };
    let batch = [late(&won[0], retry(MINUTE)), late(&won[1], Transition::Discard { failure: failure() })];
    assert_eq!(session.finish(&batch).await?, [Verdict::Written; 2]);
    for id in put {
        let failure = world.job(id).await?.failures.remove(0);
        assert_eq!(failure.ended, over);
        assert_eq!(failure.ended.since(failure.started.unwrap()), RAN);
    }
    assert_eq!(
        world.job(won[0].id).await?.run_at,
        world.clock.now().saturating_add(MINUTE),
        "its pause begins when it is written"
    );
    Ok(())
}

/// Says what nobody should, at every link of a long chain.
#[derive(Debug)]
struct Hostile(u32);

impl std::fmt::Display for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lossy = String::from_utf8_lossy(b"\xff\xfe \0 \\u0000 ");
        f.write_str(&lossy.repeat(100_000))
    }
}

impl std::error::Error for Hostile {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        static NEXT: [Hostile; 2] = [Hostile(1), Hostile(0)];
        NEXT.get(self.0 as usize).map(|next| next as _)
    }
}

pub(crate) async fn hostile_failures_hurt_nobody_in_their_batch(world: World) -> Result<()> {
    let put = world.put(vec![job("a"), job("a"), job("a")]).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 3).await?;
    let hostile = || Failure::from_error(FailureKind::Error, &Hostile(0));
    let batch = vec![
        ended(&won[0], Transition::Retry { after: MINUTE, failure: hostile() }),
        ended(&won[1], Transition::Discard { failure: hostile() }),
        ended(&won[2], Transition::Complete),
    ];
    assert_eq!(session.finish(&batch).await?, [Verdict::Written; 3]);
    for id in [put[0], put[1]] {
        let failure = world.job(id).await?.failures.remove(0);
        let kept = failure.message.len() + failure.chain.iter().map(String::len).sum::<usize>();
        assert!(kept < 32 << 10 && !failure.message.contains('\0'), "{kept} bytes are kept");
    }
    assert_eq!(world.state(put[2]).await?, State::Completed);
    Ok(())
}
