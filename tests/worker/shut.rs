//! Ends that can't be written, as the database lets nobody in or takes a right away: they are kept as they are.

use std::time::Duration;

use pgq::testing::stepper;
use pgq::{Client, Context, JobId, Result, State, Worker};

use super::faults::{Fault, plan, wayward};
use crate::log::Log;

/// Leads on to what must not be lost.
#[pgq::task(name = "shut::lead", keep = "1d")]
async fn lead(ctx: Context) -> Result<(), pgq::BoxError> {
    ctx.enqueue(follow::job(()))?;
    Ok(())
}

#[pgq::task(name = "shut::follow", keep = "1d")]
async fn follow() -> Result<(), pgq::BoxError> {
    Ok(())
}

/// Nothing was lost of it.
async fn assert_whole(client: &Client, id: JobId, code: &str) -> Result<()> {
    let job = client.get(id).await?.expect("it is kept");
    assert_eq!((job.state, job.attempt, job.failures.len()), (State::Completed, 1, 0), "{code}: {job:?}");
    assert_eq!(client.jobs().task("shut::follow").count().await?.jobs, 1, "{code}");
    Ok(())
}

#[tokio::test]
async fn a_job_that_succeeded_while_its_database_let_nobody_in_completes_with_its_follow_ups() -> Result<()> {
    // No login, a password that is wrong, no such database, a right that was taken.
    for code in ["28000", "28P01", "3D000", "42501"] {
        let (client, faults) = wayward()?;
        let mut worker = stepper::<()>(&client, pgq::tasks![lead], ()).await?;
        let id = lead::enqueue(&client, ()).await?.id();
        plan(&faults.finish, &[Fault::Says(code)]);
        assert!(worker.step().await.is_err(), "{code}");
        worker.settle().await?;
        assert_whole(&client, id, code).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_end_that_was_refused_for_no_row_is_kept_as_it_is() -> Result<()> {
    // A connection on which somebody else's statement was prepared, a plan that is out of date, a table that is named otherwise for a
    // moment.
    for code in ["26000", "0A000", "42P01"] {
        let log = Log::default();
        let _listening = log.listen();
        let (client, faults) = wayward()?;
        let id = lead::enqueue(&client, ()).await?.id();
        plan(&faults.finish, &[Fault::Says(code)]);
        let worker = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![lead]).spawn().await?;
        let told = async {
            while log.about("how an attempt ended can't be written").is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is left aside");
        worker.stop().await?;
        assert_whole(&client, id, code).await?;
    }
    Ok(())
}
