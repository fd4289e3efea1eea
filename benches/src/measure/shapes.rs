//! Payloads of other sizes, and jobs of many queues and tasks.

use anyhow::Result;

use super::drain::drain_raw;
use crate::bench::Bench;
use crate::drain::{Drain, Spread};
use crate::figures::{Section, median, ratio, section};
use crate::load;

pub(super) const ABOUT: &str = "drains of payloads of 1 kB to 100 kB beside bare SQL, and of 100 queues and of 100 tasks beside one";

/// Section and bytes of a payload.
const SIZES: [(&str, usize); 3] = [("payload_1kb", 1_000), ("payload_10kb", 10_000), ("payload_100kb", 100_000)];
/// So many bytes are enough for a round.
const ENOUGH: usize = 200 << 20;
/// Fewer jobs say little, whatever their bytes.
const LEAST: u32 = 1_000;
const QUEUES: u32 = 100;

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    for (name, payload) in SIZES {
        let jobs = u32::try_from(ENOUGH / payload / bench.scale as usize)?.max(LEAST).min(bench.jobs);
        let drain = Drain { jobs, payload, ..Drain::of(bench) };
        let measure = async |which| match which {
            0 => Ok(drain.run::<load::noop>().await?.rate),
            _ => drain_raw(bench, jobs, payload).await,
        };
        let [ours, bare] = bench.in_turns([name, "raw"], measure, |rate| *rate).await?;
        let sizes = bench.sizes_of(&format!("{jobs} jobs of {payload} bytes, 1 worker of {} slots", bench.slots));
        let figures =
            [("jobs_per_s", median(&ours)), ("raw_per_s", median(&bare)), ("ratio_to_raw", ratio(&ours, &bare))];
        sections.push(section(name, sizes, figures));
    }
    sections.push(beside_one(bench, "queues", Spread::Queues(QUEUES)).await?);
    sections.push(beside_one(bench, "tasks", Spread::Tasks).await?);
    Ok(sections)
}

/// A drain of jobs that are spread over a hundred, beside one of as many that aren't.
async fn beside_one(bench: &Bench<'_>, name: &'static str, spread: Spread) -> Result<Section> {
    let drains = [Spread::Nothing, spread].map(|spread| Drain { spread, ..Drain::of(bench) });
    let measure = async |which: usize| Ok(drains[which].run::<load::noop>().await?.rate);
    let [one, many] = bench.in_turns(["one", name], measure, |rate| *rate).await?;
    let figures = [("one_per_s", median(&one)), ("hundred_per_s", median(&many)), ("ratio", ratio(&many, &one))];
    Ok(section(name, bench.sizes(), figures))
}
