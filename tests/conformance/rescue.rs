//! Workers that fall silent.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Claim, NewJob, OnConflict, Renewal, Session, Transition, Unique, Verdict};
use pgq::{FailureKind, Result, State, Timestamp};

use crate::world::{SPAN, World, claim, end, ids, job, retry, want};

const MOMENT: Duration = Duration::from_micros(1);

pub(crate) async fn jobs_of_a_silent_worker_run_elsewhere(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let (silent, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    claim(&silent, &["a"], 1).await?;
    world.clock.advance(SPAN);
    other.attend().await?.renew().await?;
    assert_eq!(other.rescue(10).await?.gone, 0, "its lease is not over yet");
    world.clock.advance(MOMENT);
    let rescued = other.rescue(10).await?;
    assert_eq!((rescued.gone, rescued.freed), (1, 1));
    assert_eq!(world.state(id).await?, State::Available);
    let won = claim(&other, &["a"], 1).await?;
    assert_eq!((won[0].id, won[0].attempt, won[0].epoch, won[0].crashes), (id, 2, 2, 1));
    Ok(())
}

pub(crate) async fn who_rescues_is_told_when_the_next_lease_is_over(world: World) -> Result<()> {
    let _silent = world.session(&["a"]).await?;
    let other = world.session(&["a"]).await?;
    let third = Duration::from_secs(10);
    world.clock.advance(third);
    let mut later = world.session(&["a"]).await?.attend().await?;
    assert_eq!(other.rescue(10).await?.next, Some(SPAN - third));
    world.clock.advance(SPAN - third + MOMENT);
    later.renew().await?;
    let rescued = other.rescue(10).await?;
    assert_eq!((rescued.gone, rescued.next), (1, Some(SPAN)), "its own doesn't count");
    Ok(())
}

pub(crate) async fn a_clock_that_is_set_on_makes_nobody_gone(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let (holder, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let won = claim(&holder, &["a"], 1).await?;
    let (mut pulse, mut others) = (holder.attend().await?, other.attend().await?);
    for _ in 0..3 {
        assert_eq!(other.rescue(10).await?.gone, 0);
        world.clock.advance(Duration::from_secs(1));
        pulse.renew().await?;
        world.clock.set(world.clock.now().saturating_add(SPAN * 2));
        others.renew().await?;
        let rescued = other.rescue(10).await?;
        assert_eq!((rescued.gone, rescued.next), (0, Some(SPAN - Duration::from_secs(1))));
    }
    assert_eq!(end(&holder, &won[0], Transition::Complete).await?, Verdict::Written);
    assert_eq!(world.state(id).await?, State::Completed);
    Ok(())
}

pub(crate) async fn a_clock_that_is_set_back_lets_nobody_be_silent_for_longer(world: World) -> Result<()> {
    let (_silent, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    assert_eq!(other.rescue(10).await?.gone, 0);
    world.clock.set(Timestamp::EPOCH);
    world.clock.advance(SPAN);
    other.attend().await?.renew().await?;
    assert_eq!(other.rescue(10).await?.gone, 0);
    world.clock.advance(MOMENT);
    assert_eq!(other.rescue(10).await?.gone, 1);
    Ok(())
}

pub(crate) async fn a_beat_keeps_the_lease(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let (holder, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let won = claim(&holder, &["a"], 1).await?;
    let (mut pulse, mut others) = (holder.attend().await?, other.attend().await?);
    for _ in 0..5 {
        world.clock.advance(SPAN - MOMENT);
        assert_ne!(pulse.renew().await?, Renewal::Gone);
        assert_ne!(others.renew().await?, Renewal::Gone);
        assert_eq!(other.rescue(10).await?.gone, 0);
    }
    assert_eq!(end(&holder, &won[0], Transition::Complete).await?, Verdict::Written);
    Ok(())
}

pub(crate) async fn a_rescued_jobs_first_holder_cannot_finish_it(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let (silent, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let lost = claim(&silent, &["a"], 1).await?;
    world.clock.advance(SPAN + MOMENT);
    other.attend().await?.renew().await?;
    other.rescue(10).await?;
    assert_eq!(end(&silent, &lost[0], Transition::Complete).await?, Verdict::Lost);
    assert!(claim(&silent, &["a"], 1).await?.is_empty(), "who was declared gone claims nothing");
    assert_eq!(silent.attend().await?.renew().await?, Renewal::Gone);
    assert_eq!(world.state(id).await?, State::Available);
    Ok(())
}

pub(crate) async fn a_worker_that_starts_late_declares_nobody_gone_at_once(world: World) -> Result<()> {
    let _silent = world.session(&["a"]).await?;
    world.clock.advance(SPAN * 10);
    let late = world.session(&["a"]).await?;
    assert_eq!(late.rescue(10).await?.gone, 0);
    world.clock.advance(SPAN + MOMENT);
    late.attend().await?.renew().await?;
    assert_eq!(late.rescue(10).await?.gone, 1);
    Ok(())
}

pub(crate) async fn what_a_worker_left_behind_is_freed_within_a_minute(world: World) -> Result<()> {
    let (left, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    other.sweep().await?;
    let id = world.put_one(job("a")).await?;
    claim(&left, &["a"], 1).await?;
    left.deregister(true).await?;
    world.clock.advance(Duration::from_mins(1));
    other.sweep().await?;
    other.rescue(10).await?;
    assert_eq!(ids(&claim(&other, &["a"], 1).await?), [id], "it had said that it held nothing");
    Ok(())
}

pub(crate) async fn a_freed_job_keeps_what_became_of_its_attempt(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let (silent, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    claim(&silent, &["a"], 1).await?;
    world.clock.advance(SPAN + MOMENT);
    other.attend().await?.renew().await?;
    other.rescue(10).await?;
    let failure = world.job(id).await?.failures.remove(0);
    assert_eq!((failure.kind, failure.attempt, failure.epoch), (FailureKind::Crashed, 1, 1));
    assert_eq!((failure.worker.as_deref(), failure.started), (Some("test:1"), None));
    assert_eq!(failure.ended, world.clock.now());
    assert_eq!(failure.message, "the worker test:1 fell silent while it held the job");
    Ok(())
}

/// The holder of what is running falls silent, and another worker frees it.
async fn crash(world: &World) -> Result<Arc<dyn Session>> {
    let heir = world.session(&["a"]).await?;
    world.clock.advance(SPAN + MOMENT);
    heir.attend().await?.renew().await?;
    heir.rescue(10).await?;
    Ok(heir)
}

pub(crate) async fn a_job_that_kills_its_workers_waits_longer_each_time_and_is_discarded(world: World) -> Result<()> {
    let mut session = world.session(&["a"]).await?;
    let (id, put) = (world.put_one(job("a")).await?, world.clock.now());
    for (crashes, pause) in [(1, 0), (2, 10), (3, 30), (4, 90)] {
        assert_eq!(claim(&session, &["a"], 1).await?[0].id, id);
        session = crash(&world).await?;
        let found = world.job(id).await?;
        assert_eq!(found.crashes, crashes);
        let paused = world.clock.now().saturating_add(Duration::from_secs(pause));
        assert_eq!(found.run_at, if pause == 0 { put } else { paused }, "the first time it keeps its place");
        assert_eq!(found.state, if pause == 0 { State::Available } else { State::Retryable });
        world.clock.advance(Duration::from_secs(pause));
        session.attend().await?.renew().await?;
        session.promote(10).await?;
    }
    claim(&session, &["a"], 1).await?;
    let heir = world.session(&["a"]).await?;
    world.clock.advance(SPAN + MOMENT);
    heir.attend().await?.renew().await?;
    let discarded = heir.rescue(10).await?.discarded;
    assert_eq!((discarded.len(), discarded[0].id, discarded[0].task.as_str(), discarded[0].attempt), (1, id, "a", 5));
    assert_eq!(discarded[0].failure.kind(), FailureKind::Crashed);
    let found = world.job(id).await?;
    assert_eq!((found.state, found.crashes, found.failures.len()), (State::Discarded, 5, 5));
    assert!(found.failures.iter().all(|failure| failure.kind == FailureKind::Crashed));
    world.client.retry(id).await?;
    assert_eq!((world.state(id).await?, world.job(id).await?.crashes), (State::Available, 0));
    Ok(())
}

pub(crate) async fn a_job_whose_last_attempt_crashed_is_discarded(world: World) -> Result<()> {
    let unique = Unique { key: "k".to_owned(), on_conflict: OnConflict::Reject, window: Duration::from_hours(1) };
    let once = || NewJob { max_attempts: 1, unique: Some(unique.clone()), ..job("a") };
    let session = world.session(&["a"]).await?;
    let id = world.put_one(once()).await?;
    claim(&session, &["a"], 1).await?;
    crash(&world).await?;
    assert_eq!(world.state(id).await?, State::Discarded);
    assert_eq!(world.put_one(once()).await?, id, "its key stays taken for its window");
    Ok(())
}

pub(crate) async fn suspects_are_claimed_one_at_a_time(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let suspects = world.put(vec![job("a"), job("a"), job("a")]).await?;
    claim(&session, &["a"], 9).await?;
    let session = crash(&world).await?;
    assert_eq!(claim(&session, &["a"], 9).await?.len(), 3, "once is nobody's fault");
    let session = crash(&world).await?;
    world.clock.advance(Duration::from_secs(10));
    session.attend().await?.renew().await?;
    session.promote(10).await?;
    let others = world.put(vec![job("a"), job("a")]).await?;
    let wants = || vec![want("default", "a", 9)].into();
    let first =
        session.claim(Claim { wants: wants(), groups: Vec::new(), limit: 9, thorough: true, suspect: true }).await?;
    assert_eq!(ids(&first.jobs), [vec![suspects[0]], others].concat());
    assert!(!first.again, "the other suspects are no reason to claim again");
    assert!(!first.all, "they are there");
    let alone = Claim { wants: wants(), groups: Vec::new(), limit: 9, thorough: true, suspect: false };
    assert_eq!(session.claim(alone).await?.jobs, []);
    let second =
        session.claim(Claim { wants: wants(), groups: Vec::new(), limit: 9, thorough: true, suspect: true }).await?;
    assert_eq!(ids(&second.jobs), [suspects[1]]);
    Ok(())
}

pub(crate) async fn an_attempt_that_ends_by_itself_clears_its_job(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let id = world.put_one(job("a")).await?;
    claim(&session, &["a"], 1).await?;
    let session = crash(&world).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Release).await?;
    assert_eq!(world.job(id).await?.crashes, 1, "what is handed back shows nothing");
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], retry(Duration::ZERO)).await?;
    assert_eq!(world.job(id).await?.crashes, 0);
    Ok(())
}
