//! A claim of a job that the same worker runs.

use pgq::testing::stepper;
use pgq::{Context, Result, State};
use tokio::sync::mpsc;

use super::faults::{Ear, Fault, plan, standing, wayward};

/// Tells that it runs, and that it was told to end.
#[pgq::task]
async fn endless(ctx: Context<Ear>) -> std::result::Result<(), pgq::BoxError> {
    ctx.told.send(())?;
    ctx.cancelled().await;
    Ok(ctx.told.send(())?)
}

#[tokio::test]
async fn a_claim_that_is_won_once_more_is_not_run_twice() -> Result<()> {
    let (client, faults) = wayward()?;
    let (told, says) = mpsc::unbounded_channel();
    let mut worker = stepper(&client, pgq::tasks![endless], Ear { told }).await?;
    let id = endless::enqueue(&client, ()).await?.id();
    assert_eq!(worker.start().await?, 1);
    plan(&faults.claim, &[Fault::Twice]);
    assert_eq!(worker.start().await?, 0);
    assert_eq!(says.len(), 1, "it runs, and goes on");
    client.cancel(id, "enough").await?;
    worker.beat().await?;
    worker.settle().await?;
    assert_eq!(says.len(), 2);
    assert_eq!(standing(&client, id).await?, (State::Cancelled, 1, 1));
    Ok(())
}

#[tokio::test]
async fn who_runs_a_job_that_its_worker_has_claimed_anew_is_told() -> Result<()> {
    let (client, _) = wayward()?;
    let (told, mut says) = mpsc::unbounded_channel();
    let mut worker = stepper(&client, pgq::tasks![endless], Ear { told }).await?;
    let id = endless::enqueue(&client, ()).await?.id();
    assert_eq!(worker.start().await?, 1);
    worker.session().release_all_but(Vec::new()).await?;
    assert_eq!(worker.start().await?, 1);
    for _ in 0..3 {
        says.recv().await;
    }
    client.cancel(id, "enough").await?;
    worker.beat().await?;
    worker.settle().await?;
    assert_eq!(standing(&client, id).await?, (State::Cancelled, 1, 2));
    Ok(())
}
