//! How fast producers put in one job at a time, each in a transaction of its own.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;
use pgq::{Task, Worker};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::database::client;
use crate::figures::{Section, median, per_second, ratio, section};
use crate::load::{self, App, noop};
use crate::{payload, raw};

pub(super) const ABOUT: &str = "single enqueues in autocommit, by 1 and by 16 producers, and beside a busy worker with wake-ups and without";

const PRODUCERS: u32 = 16;

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let span = Duration::from_secs(bench.seconds);
    let [mut one, mut raw_one, mut many, mut raw_many] = [const { Vec::new() }; 4];
    for round in 1..=bench.rounds {
        for (producers, ours, bare) in [(1, &mut one, &mut raw_one), (PRODUCERS, &mut many, &mut raw_many)] {
            let fresh = bench.server.fresh().await?;
            let pool = fresh.pool(producers).await?;
            let (our, raw) = (enqueue(&pool, producers, span).await?, enqueue_raw(&pool, producers, span).await?);
            eprintln!("  round {round}, {producers} producers: {our:.0}/s, raw {raw:.0}/s");
            ours.push(our);
            bare.push(raw);
            pool.close().await;
            fresh.drop().await?;
        }
    }
    let wakes = wakes(bench).await?;
    let sizes = bench.sizes_of(&format!("1 and {PRODUCERS} producers for {} s each", bench.seconds));
    let figures = [
        ("per_s_1", median(&one)),
        ("raw_per_s_1", median(&raw_one)),
        ("ratio_1", ratio(&one, &raw_one)),
        ("per_s_16", median(&many)),
        ("raw_per_s_16", median(&raw_many)),
        ("ratio_16", ratio(&many, &raw_many)),
    ];
    Ok(vec![section("enqueue_single", sizes, figures), wakes])
}

/// 16 producers beside a busy worker. pgq has no switch for wake-ups, so "off" is what is cheapest without them: the same row into the
/// same table by a bare statement that doesn't ask who sleeps. What the client costs beyond it counts as the wake-ups' too.
async fn wakes(bench: &Bench<'_>) -> Result<Section> {
    let measure = async |which| beside_worker(bench, which == 0).await;
    let [on, off] = bench.in_turns(["on", "off"], measure, |rate| *rate).await?;
    let sizes = format!("{PRODUCERS} producers for {} s, a worker of 1 slot with {} jobs", bench.seconds, bench.jobs);
    let figures = [("on_per_s", median(&on)), ("off_per_s", median(&off)), ("ratio", ratio(&on, &off))];
    Ok(section("enqueue_wakes", bench.sizes_of(&sizes), figures))
}

async fn beside_worker(bench: &Bench<'_>, wakes: bool) -> Result<f64> {
    let fresh = bench.server.fresh().await?;
    let (pool, busy) = (fresh.pool(PRODUCERS).await?, client(&fresh.pool(2).await?)?);
    load::fill::<noop>(&busy, bench.jobs).await?;
    let builder = Worker::builder().client(busy.clone()).only([noop::NAME]).tasks_only();
    let worker = builder.slots(1).drain_timeout(Duration::ZERO).resources(App::silent()).spawn().await?;
    let span = Duration::from_secs(bench.seconds);
    let rate = if wakes { enqueue(&pool, PRODUCERS, span).await? } else { enqueue_silently(&pool, span).await? };
    worker.stop().await?;
    pool.close().await;
    fresh.drop().await?;
    Ok(rate)
}

async fn enqueue(pool: &PgPool, producers: u32, span: Duration) -> Result<f64> {
    let client = client(pool)?;
    produce(producers, span, move || {
        let client = client.clone();
        async move {
            noop::enqueue(&client, payload::text(0, payload::BYTES)).await?;
            Ok(())
        }
    })
    .await
}

async fn enqueue_silently(pool: &PgPool, span: Duration) -> Result<f64> {
    let pool = pool.clone();
    produce(PRODUCERS, span, move || {
        let pool = pool.clone();
        async move { raw::enqueue_silently(&pool, payload::BYTES).await }
    })
    .await
}

async fn enqueue_raw(pool: &PgPool, producers: u32, span: Duration) -> Result<f64> {
    let pool = pool.clone();
    produce(producers, span, move || {
        let pool = pool.clone();
        async move { raw::enqueue(&pool, 0..1, payload::BYTES).await }
    })
    .await
}

/// How many a second `producers` tasks do in about that time, each one after the other.
async fn produce<F>(producers: u32, span: Duration, one: impl Fn() -> F + Clone + Send + 'static) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send,
{
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..producers {
        let one = one.clone();
        tasks.spawn(async move {
            let mut count = 0_u32;
            while start.elapsed() < span {
                one().await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut total = 0;
    while let Some(count) = tasks.join_next().await {
        total += count??;
    }
    Ok(per_second(total, start.elapsed()))
}
