//! Programs of which each has a clock of its own, as tests of several programs do.

use pgq::testing::{ManualClock, stepper};
use pgq::{BoxError, Client, Result, Timestamp};

use crate::world::installed;

#[pgq::task]
async fn tick() -> Result<(), BoxError> {
    Ok(())
}

#[tokio::test]
async fn two_clients_whose_chance_repeats_have_a_worker_each() -> Result<()> {
    let database = installed().await;
    let pool = database.pool().await.expect("a pool");
    for _ in 0..2 {
        let client = Client::builder()?.clock(ManualClock::at(Timestamp::EPOCH)).pool(pool.clone());
        stepper::<()>(&client, pgq::tasks![tick], ()).await?;
    }
    Ok(())
}
