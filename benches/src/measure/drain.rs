//! How fast one worker empties a queue of jobs that do nothing.

use anyhow::Result;

use crate::bench::Bench;
use crate::drain::Drain;
use crate::figures::{Section, median, ratio, section};
use crate::{load, payload, raw};

pub(super) const ABOUT: &str = "a worker empties a queue of jobs that do nothing, without history and with it, and with claims and ends that wait for the disk";

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let kept_drain = Drain { kept: bench.jobs, ..Drain::of(bench) };
    let synchronous = Drain { synchronous: true, ..Drain::of(bench) };
    let names = ["ours", "raw", "with history", "synchronous"];
    let measure = async |which| match which {
        0 => Ok(Drain::of(bench).run::<load::noop>().await?.rate),
        1 => drain_raw(bench, bench.jobs, payload::BYTES).await,
        2 => Ok(kept_drain.run::<load::noop_kept>().await?.rate),
        _ => Ok(synchronous.run::<load::noop>().await?.rate),
    };
    let [ours, bare, kept, durable] = bench.in_turns(names, measure, |rate| *rate).await?;
    Ok(vec![
        section(
            "drain",
            bench.sizes(),
            [("jobs_per_s", median(&ours)), ("raw_per_s", median(&bare)), ("ratio_to_raw", ratio(&ours, &bare))],
        ),
        section(
            "drain_history",
            bench.sizes(),
            [
                ("jobs_per_s", median(&kept)),
                ("ratio_to_raw", ratio(&kept, &bare)),
                ("ratio_to_drain", ratio(&kept, &ours)),
            ],
        ),
        section(
            "drain_synchronous_commit",
            bench.sizes(),
            [
                ("jobs_per_s", median(&durable)),
                ("ratio_to_raw", ratio(&durable, &bare)),
                ("ratio_to_drain", ratio(&durable, &ours)),
            ],
        ),
    ])
}

/// Drains so many jobs of so many bytes by bare SQL, as rested as ours.
pub(super) async fn drain_raw(bench: &Bench<'_>, jobs: u32, payload: usize) -> Result<f64> {
    let fresh = bench.server.fresh().await?;
    let pool = fresh.pool(1).await?;
    for batch in load::batches(jobs) {
        raw::enqueue(&pool, batch, payload).await?;
    }
    sqlx::raw_sql("vacuum analyze raw.job").execute(&pool).await?;
    let _ = sqlx::query("checkpoint").execute(&pool).await;
    let rate = raw::drain(fresh.options(), jobs).await?;
    pool.close().await;
    fresh.drop().await?;
    Ok(rate)
}
