//! Workers that fall silent.

use std::time::Duration;

use pgq::backend::{Renewal, Transition, Verdict};
use pgq::{FailureKind, Result, State};

use crate::world::{SPAN, World, claim, end, job};

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
