//! A holder that is late changes nothing.

use std::time::Duration;

use pgq::backend::{Ended, Transition, Verdict};
use pgq::{Result, State};

use crate::world::{World, claim, end, ended, job, retry};

pub(crate) async fn a_stale_epoch_cannot_finish_a_job(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let stale = claim(&session, &["a"], 1).await?;
    end(&session, &stale[0], retry(Duration::ZERO)).await?;
    let current = claim(&session, &["a"], 1).await?;
    for transition in [Transition::Complete, retry(Duration::ZERO), Transition::Release] {
        assert_eq!(end(&session, &stale[0], transition).await?, Verdict::Lost);
    }
    assert_eq!(world.state(id).await?, State::Running);
    assert_eq!(end(&session, &current[0], Transition::Complete).await?, Verdict::Written);
    Ok(())
}

pub(crate) async fn another_workers_lease_cannot_finish_a_job(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let (holder, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let won = claim(&holder, &["a"], 1).await?;
    for transition in [Transition::Complete, retry(Duration::ZERO)] {
        assert_eq!(end(&other, &won[0], transition).await?, Verdict::Lost);
    }
    assert_eq!(world.state(id).await?, State::Running);
    Ok(())
}

pub(crate) async fn a_late_write_harms_none_of_its_batch(world: World) -> Result<()> {
    world.put((0..3).map(|_| job("a")).collect()).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 3).await?;
    let late = Ended { epoch: 9, ..ended(&won[1], Transition::Complete) };
    let batch = vec![ended(&won[0], Transition::Complete), late, ended(&won[2], retry(Duration::ZERO))];
    assert_eq!(session.finish(&batch).await?, [Verdict::Written, Verdict::Lost, Verdict::Written]);
    assert_eq!(world.state(won[1].id).await?, State::Running);
    Ok(())
}

pub(crate) async fn an_end_is_written_once(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    assert_eq!(end(&session, &won[0], Transition::Complete).await?, Verdict::Written);
    assert_eq!(end(&session, &won[0], Transition::Complete).await?, Verdict::Lost);
    Ok(())
}
