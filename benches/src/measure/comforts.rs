//! What limits, unique keys and spans cost together.

use std::io;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::bench::Bench;
use crate::drain::Drain;
use crate::figures::{Section, median, ratio, section};
use crate::load;

pub(super) const ABOUT: &str =
    "drains with limits without a key, unique keys and a subscriber of spans on, beside one without any";

pub(super) async fn run(bench: &Bench<'_>) -> Result<Vec<Section>> {
    let spans = subscribe()?;
    let set = |level| spans.modify(|known| *known = level);
    let unique = Drain { unique: true, ..Drain::of(bench) };
    let measure = async |which| {
        set(if which > 0 { LevelFilter::INFO } else { LevelFilter::OFF })?;
        let drained = match which {
            0 => Drain::of(bench).run::<load::noop>().await,
            _ => unique.run::<load::noop_limited>().await,
        };
        anyhow::Ok(drained?.rate)
    };
    let [off, on] = bench.in_turns(["off", "on"], measure, |rate| *rate).await?;
    set(LevelFilter::OFF)?;
    let figures = [("off_per_s", median(&off)), ("on_per_s", median(&on)), ("ratio", ratio(&on, &off))];
    Ok(vec![section("comforts", bench.sizes(), figures)])
}

/// A program has one subscriber, once and for all: this one writes what it is told to nowhere, and is told nothing at first.
fn subscribe() -> Result<reload::Handle<LevelFilter, Registry>> {
    let (filter, spans) = reload::Layer::new(LevelFilter::OFF);
    let subscriber = tracing_subscriber::registry().with(filter).with(fmt::layer().with_writer(io::sink));
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(spans)
}
