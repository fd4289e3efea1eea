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
    pub(crate) run: fn(&Bench) -> Run<'_>,
}

type Run<'a> = Pin<Box<dyn Future<Output = Result<Vec<Section>>> + 'a>>;

macro_rules! measurements {
    ($($name:ident)*) => {
        $(mod $name;)*

        /// Everything that can be measured, in the order in which it is.
        pub(crate) const ALL: &[Measurement] = &[$(Measurement {
            name: stringify!($name),
            about: $name::ABOUT,
            run: |bench| Box::pin($name::run(bench)),
        }),*];
    };
}

measurements! { drain enqueue_bulk enqueue_single latency limits ticks }
