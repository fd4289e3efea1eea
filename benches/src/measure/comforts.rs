//! What limits and unique keys cost together.

use anyhow::Result;

use crate::bench::Bench;
use crate::drain::Drain;
use crate::figures::{Section, median, ratio, section};
use crate::load;

pub(super) const ABOUT: &str = "drains with limits without a key and unique keys on, beside one without any";

pub(super) async fn run(bench: &Bench) -> Result<Vec<Section>> {
    let unique = Drain { unique: true, ..Drain::of(bench) };
    let measure = async |which| match which {
        0 => Ok(Drain::of(bench).run::<load::noop>().await?.rate),
        _ => Ok(unique.run::<load::noop_limited>().await?.rate),
    };
    let [off, on] = bench.in_turns(["off", "on"], measure, |rate| *rate).await?;
    let figures = [("off_per_s", median(&off)), ("on_per_s", median(&on)), ("ratio", ratio(&on, &off))];
    Ok(vec![section("comforts", figures)])
}
