//! The peers. One is a file here, and a word in the list below.

mod apalis;
mod awa;
mod fang;
mod graphile_worker;
mod pgmq;
mod pgq;
mod riverqueue;
pub(crate) mod scripts;
mod sources;
mod sqlxmq;
mod underway;

use anyhow::{Context, Result};

use crate::peer::Entry;

/// All that can be measured; pgq comes first, and the others are compared with it.
pub(crate) const ALL: &[Entry] = &[
    pgq::ENTRY,
    pgq::WITH_HISTORY,
    graphile_worker::ENTRY,
    pgmq::ENTRY,
    riverqueue::ENTRY,
    apalis::ENTRY,
    awa::ENTRY,
    underway::ENTRY,
    sqlxmq::ENTRY,
    fang::ENTRY,
    scripts::PGQUEUER,
    scripts::PROCRASTINATE,
    scripts::GRAPHILE_WORKER,
    scripts::PG_BOSS,
];

/// What there is for Rust and isn't measured, and why.
pub(crate) const NOT_MEASURED: &[(&str, &str)] = &[];

pub(crate) fn find(name: &str) -> Result<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name).with_context(|| format!("expected one of {}, got {name:?}", names()))
}

pub(crate) fn names() -> String {
    ALL.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}
