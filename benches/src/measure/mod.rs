//! The measurements. One is a file here with what it is about and a function that returns named figures, and a word in
//! the list below.

use std::future::Future;
use std::pin::Pin;

use anyhow::Result;

use crate::bench::Bench;
use crate::figures::Section;

/// What can be measured.
pub(crate) struct Measurement {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether it is among those that are measured quickly where none is named.
    pub(crate) quick: bool,
    pub(crate) run: for<'b> fn(&'b Bench<'b>) -> Run<'b>,
}

type Run<'a> = Pin<Box<dyn Future<Output = Result<Vec<Section>>> + 'a>>;

macro_rules! measurements {
    ($($name:ident: $quick:literal,)*) => {
        $(mod $name;)*

        /// Everything that can be measured, in the order in which it is.
        pub(crate) const ALL: &[Measurement] = &[$(Measurement {
            name: stringify!($name),
            about: $name::ABOUT,
            quick: $quick,
            run: |bench| Box::pin($name::run(bench)),
        }),*];
    };
}

measurements! {
    drain: true,
    enqueue_bulk: true,
    enqueue_single: true,
    latency: true,
    limits: true,
    ticks: false,
    saturated: false,
    steady: false,
    comforts: false,
    backlog: false,
    shapes: false,
    workers: false,
    costs: false,
}

pub(crate) use workers::{URL as WORKER_URL, work};
