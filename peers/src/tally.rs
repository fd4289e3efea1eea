//! What was measured of one peer, over all rounds.

use pgq_benches::figures::{median, millis, percentile, ratio};

use crate::peer::{Entry, RunsIn};
use crate::phase::PATIENCE;

/// The rounds of one peer.
pub(crate) struct Tally {
    pub(crate) entry: &'static Entry,
    pub(crate) version: String,
    pub(crate) jobs: u32,
    pub(crate) rounds: Vec<Round>,
    /// Why there are no figures, or no further ones.
    pub(crate) failure: Option<String>,
}

/// One round of one peer.
pub(crate) struct Round {
    pub(crate) enqueued_per_s: f64,
    pub(crate) drained_per_s: f64,
    /// Bytes for each job.
    pub(crate) enqueue_wal: f64,
    pub(crate) drain_wal: f64,
    pub(crate) waits: Vec<f64>,
    pub(crate) duplicates: u32,
    /// Rows afterwards.
    pub(crate) left: i64,
    pub(crate) kept: i64,
}

impl Tally {
    pub(crate) fn new(entry: &'static Entry, jobs: u32) -> Self {
        let version = match entry.runs_in {
            RunsIn::Rust { package, .. } => locked_version(package).unwrap_or_default().to_owned(),
            RunsIn::Python { .. } | RunsIn::Node { .. } => String::new(),
        };
        Self { entry, version, jobs: (jobs / entry.one_in).max(1), rounds: vec![], failure: None }
    }

    pub(crate) fn is_pgq(&self) -> bool {
        matches!(self.entry.runs_in, RunsIn::Rust { package: "pgq", .. })
    }

    pub(crate) fn median(&self, figure: fn(&Round) -> f64) -> f64 {
        median(&self.each(figure))
    }

    /// How many times the other's figure this one is: the median over rounds.
    pub(crate) fn ratio(&self, other: &Self, figure: fn(&Round) -> f64) -> f64 {
        ratio(&self.each(figure), &other.each(figure))
    }

    /// Of all rounds' samples.
    pub(crate) fn latency(&self, percent: usize) -> f64 {
        percentile(&self.waits().collect::<Vec<_>>(), percent)
    }

    /// How many jobs were sampled.
    pub(crate) fn samples(&self) -> usize {
        self.waits().count()
    }

    /// How many of these were given up before they started.
    pub(crate) fn given_up(&self) -> usize {
        self.waits().filter(|wait| is_given_up(*wait)).count()
    }

    pub(crate) fn duplicates(&self) -> u32 {
        self.rounds.iter().map(|round| round.duplicates).sum()
    }

    fn waits(&self) -> impl Iterator<Item = f64> {
        self.rounds.iter().flat_map(|round| round.waits.iter().copied())
    }

    fn each(&self, figure: fn(&Round) -> f64) -> Vec<f64> {
        self.rounds.iter().map(figure).collect()
    }
}

/// Whether a latency only says for how long was waited in vain.
pub(crate) fn is_given_up(wait: f64) -> bool {
    wait >= millis(PATIENCE)
}

/// What cargo resolved a package to; what has no source is built from this tree.
pub(crate) fn locked_version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_has_a_version_in_the_lock_file() {
        for entry in crate::adapters::ALL {
            if let RunsIn::Rust { package, .. } = entry.runs_in {
                assert!(locked_version(package).is_some(), "{package}");
            }
        }
    }
}
