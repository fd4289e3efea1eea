//! What stands beside the jobs that are drained, and should cost them nothing.

use anyhow::Result;

use crate::bench::Bench;
use crate::counts::Cost;
use crate::drain::{Drain, Drained};
use crate::figures::{Section, median, ratio, section};
use crate::load;

pub(super) const ABOUT: &str = "drains beside finished, deferred and limited-out jobs by the million, and under an old snapshot";

const MILLION: u32 = 1_000_000;
/// How many jobs are drained while a transaction sees none of that.
const UNDER_SNAPSHOT: u32 = 300_000;

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let million = MILLION / bench.scale;
    let stands = |beside: String| Drain { beside: Some(beside), ..Drain::of(bench) };
    let beside = [Drain::of(bench), stands(finished(10 * million)), stands(deferred(million)), stands(held_up(million))];
    let measure = async |which: usize| beside[which].run::<load::noop>().await;
    let names = ["alone", "finished", "deferred", "limited out"];
    let [alone, finished, deferred, held_up] = bench.in_turns(names, measure, |drained| drained.rate).await?;
    let mut sections = vec![section("backlog", bench.sizes(), costs(&alone))];
    for (name, count, drained) in [
        ("backlog_finished", 10 * million, finished),
        ("backlog_deferred", million, deferred),
        ("backlog_limited_out", million, held_up),
    ] {
        let ratio = ratio(&rates(&drained), &rates(&alone));
        let sizes = bench.sizes_of(&format!("{}, beside {count}", bench.drained()));
        sections.push(section(name, sizes, [("ratio_to_alone", ratio)].into_iter().chain(costs(&drained))));
    }
    sections.push(snapshot(bench).await?);
    Ok(sections)
}

async fn snapshot(bench: &Bench<'_>) -> Result<Section> {
    let jobs = if bench.scale == 1 { UNDER_SNAPSHOT } else { bench.jobs };
    let drains = [false, true].map(|snapshot| Drain { jobs, snapshot, ..Drain::of(bench) });
    let measure = async |which: usize| Ok(drains[which].run::<load::noop>().await?.rate);
    let [without, under] = bench.in_turns(["without", "under a snapshot"], measure, |rate| *rate).await?;
    let sizes = bench.sizes_of(&format!("{jobs} jobs, 1 worker of {} slots", bench.slots));
    let figures =
        [("without_per_s", median(&without)), ("under_per_s", median(&under)), ("ratio", ratio(&under, &without))];
    Ok(section("old_snapshot", sizes, figures))
}

fn rates(drained: &[Drained]) -> Vec<f64> {
    drained.iter().map(|drained| drained.rate).collect()
}

fn costs(drained: &[Drained]) -> [(&'static str, f64); 4] {
    let cost = |which: fn(Cost) -> f64| {
        median(&drained.iter().filter_map(|drained| drained.cost).map(which).collect::<Vec<_>>())
    };
    [
        ("jobs_per_s", median(&rates(drained))),
        ("buffers_per_job", cost(|cost| cost.buffers)),
        ("wal_bytes_per_job", cost(|cost| cost.wal)),
        ("statements_per_job", cost(|cost| cost.statements)),
    ]
}

fn finished(count: u32) -> String {
    format!(
        "insert into pgq.history (id, expires, finished, created, run_at, epoch, state, attempt, crashes, max_attempts, rank,
                                  version, codec, queue, task, payload)
         select -n, now() + interval '1 day', now(), now(), now(), 1, 4, 1, 0, 20, 0, 1, 0, 'default', 'noop', repeat('x', 100)::bytea
         from generate_series(1, {count}) as n"
    )
}

fn deferred(count: u32) -> String {
    format!(
        "insert into pgq.job (run_at, created, max_attempts, lane, rank, codec, queue, task, payload)
         select now() + interval '1 day' + n * interval '1 ms', now(), 20, 1, 0, 0, 'default', 'noop', repeat('x', 100)::bytea
         from generate_series(1, {count}) as n"
    )
}

/// Of a task of which one may run at a time, and the first one stays.
fn held_up(count: u32) -> String {
    format!(
        "insert into pgq.job (run_at, created, max_attempts, lane, rank, codec, queue, task, payload)
         select now(), now(), 20, 0, 0, 0, 'default', 'hog', '\\xa178'::bytea from generate_series(1, {count}) as n"
    )
}
