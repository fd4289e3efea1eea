//! What a program is told of the jobs that it gives up where answers are lost.

use std::sync::Arc;

use pgq::testing::stepper;
use pgq::{Client, Context, Discarded, Env, Error, Resources, Result};
use tokio::sync::mpsc;

use super::faults::{Fault, Faults, plan, wayward};

#[derive(pgq::Provide)]
struct Clerk {
    told: mpsc::UnboundedSender<Discarded>,
}

impl Resources for Clerk {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }

    async fn on_discard(self: Arc<Self>, job: Discarded) {
        let _ = self.told.send(job);
    }
}

#[pgq::task(retry = fixed("1s", attempts = 1))]
async fn give_up(_: Context<Clerk>) -> Result<(), pgq::BoxError> {
    Err("for good")?
}

#[pgq::task(keep = "0s", retry = fixed("1s", attempts = 1))]
async fn give_up_and_forget(_: Context<Clerk>) -> Result<(), pgq::BoxError> {
    Err("for good")?
}

/// Of one job's end two writes are not heard of, and the first is done.
async fn told(client: &Client, faults: &Faults) -> Result<()> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut worker = stepper(client, pgq::tasks![give_up, give_up_and_forget], Clerk { told: tell }).await?;
    plan(&faults.finish, &[Fault::Unanswered, Fault::Refused]);
    assert!(worker.step().await.is_err());
    assert!(worker.step().await.is_err());
    assert!(told.try_recv().is_err(), "nobody knows yet that it stands");
    worker.step().await?;
    worker.step().await?;
    assert_eq!(told.try_recv().unwrap().failure.message(), "for good");
    assert!(told.try_recv().is_err(), "once");
    Ok(())
}

#[tokio::test]
async fn who_asks_is_told_of_a_discard_whose_write_got_no_answer() -> Result<()> {
    let (client, faults) = wayward()?;
    give_up::enqueue(&client, ()).await?;
    told(&client, &faults).await
}

#[tokio::test]
async fn who_asks_is_told_of_a_discard_that_is_not_kept_and_whose_write_got_no_answer() -> Result<()> {
    let (client, faults) = wayward()?;
    give_up_and_forget::enqueue(&client, ()).await?;
    told(&client, &faults).await
}
