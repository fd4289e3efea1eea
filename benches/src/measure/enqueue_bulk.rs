//! How fast one producer puts jobs into its own transactions, many at a time.

use std::time::Instant;

use anyhow::Result;
use sqlx::PgPool;

use crate::bench::Bench;
use crate::database::client;
use crate::figures::{Section, median, per_second, ratio, section};
use crate::load::{self, noop};
use crate::{payload, raw};

pub(super) const ABOUT: &str = "enqueue_many in a caller's transactions of 1,000 jobs each";

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let (mut ours, mut bare) = (vec![], vec![]);
    for round in 1..=bench.rounds {
        let fresh = bench.server.fresh().await?;
        let pool = fresh.pool(1).await?;
        let (our, raw) = (enqueue(&pool, bench.jobs).await?, enqueue_raw(&pool, bench.jobs).await?);
        eprintln!("  round {round}: {our:.0}/s, raw {raw:.0}/s");
        ours.push(our);
        bare.push(raw);
        pool.close().await;
        fresh.drop().await?;
    }
    let sizes = bench.sizes_of(&format!("{} jobs by 1 producer, {} a transaction", bench.jobs, load::BATCH));
    let figures = [("per_s", median(&ours)), ("raw_per_s", median(&bare)), ("ratio_to_raw", ratio(&ours, &bare))];
    Ok(vec![section("enqueue_in_tx", sizes, figures)])
}

async fn enqueue(pool: &PgPool, jobs: u32) -> Result<f64> {
    let client = client(pool)?;
    let start = Instant::now();
    for batch in load::batches(jobs) {
        let mut tx = pool.begin().await?;
        noop::enqueue_many(client.on(&mut tx), batch.map(|number| payload::text(number, payload::BYTES))).await?;
        tx.commit().await?;
    }
    Ok(per_second(jobs, start.elapsed()))
}

async fn enqueue_raw(pool: &PgPool, jobs: u32) -> Result<f64> {
    let start = Instant::now();
    for batch in load::batches(jobs) {
        let mut tx = pool.begin().await?;
        raw::enqueue(&mut *tx, batch, payload::BYTES).await?;
        tx.commit().await?;
    }
    Ok(per_second(jobs, start.elapsed()))
}
