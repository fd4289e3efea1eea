//! The bare loop of claim and finish, in the shape that is fastest.

use std::time::Instant;

use anyhow::{Result, ensure};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;

use super::{CLAIMED, Claimed, FINISHED, claim, connect, finish};
use crate::figures::per_second;

/// Drains `jobs` jobs of the baseline's table, one connection claiming while another finishes; how many a second.
pub(crate) async fn drain(options: &PgConnectOptions, jobs: u32) -> Result<f64> {
    let (mut claiming, mut finishing) = (connect(options).await?, connect(options).await?);
    let (claimed, mut waiting) = mpsc::channel::<Vec<Claimed>>(FINISHED);
    let start = Instant::now();
    let finishes = tokio::spawn(async move {
        let (mut count, mut claims) = (0, Vec::new());
        while waiting.recv_many(&mut claims, FINISHED).await > 0 {
            let jobs: Vec<Claimed> = claims.drain(..).flatten().collect();
            count += finish(&mut finishing, &jobs).await?;
        }
        anyhow::Ok(count)
    });
    loop {
        let batch = claim(&mut claiming, CLAIMED).await?;
        if batch.is_empty() || claimed.send(batch).await.is_err() {
            break;
        }
    }
    drop(claimed);
    let count = finishes.await??;
    let rate = per_second(jobs, start.elapsed());
    ensure!(count == jobs as usize, "expected {jobs} jobs to be finished by bare SQL, got {count}");
    Ok(rate)
}
