//! Which jobs ran, how often, and when: counted by the handlers themselves.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// The bytes of a payload, as encoded.
pub(crate) const PAYLOAD: usize = 100;

/// Of this process, which runs one phase of one peer: handlers reach it whatever their library lets them reach.
static RUNS: OnceLock<Runs> = OnceLock::new();

/// What ran.
pub(crate) struct Runs {
    began: Instant,
    /// For each job, how many microseconds after the phase began it first started; 0 until then.
    starts: Vec<AtomicU64>,
    distinct: AtomicU32,
    all: AtomicU32,
}

impl Runs {
    /// Of jobs with numbers below `jobs`.
    pub(crate) fn begin(jobs: u32) -> &'static Self {
        let starts = std::iter::repeat_with(AtomicU64::default).take(jobs as usize).collect();
        RUNS.get_or_init(|| Self { began: Instant::now(), starts, distinct: 0.into(), all: 0.into() })
    }

    /// When the first job started.
    pub(crate) fn first(&self) -> Instant {
        let micros = self.starts.iter().map(|start| start.load(Ordering::Relaxed)).filter(|micros| *micros > 0).min();
        self.began + Duration::from_micros(micros.unwrap_or_default())
    }

    /// When this job started, if it has.
    pub(crate) fn started(&self, number: u32) -> Option<Instant> {
        let micros = self.starts.get(number as usize)?.load(Ordering::Relaxed);
        (micros > 0).then(|| self.began + Duration::from_micros(micros))
    }

    /// How many different jobs ran.
    pub(crate) fn distinct(&self) -> u32 {
        self.distinct.load(Ordering::Relaxed)
    }

    /// How many runs there were beyond the first of each job.
    pub(crate) fn duplicates(&self) -> Result<u32> {
        let (jobs, distinct) = (self.starts.len(), self.distinct());
        ensure!(distinct as usize == jobs, "expected {jobs} jobs to run, got {distinct}");
        Ok(self.all.load(Ordering::Relaxed) - distinct)
    }

    fn ran(&self, number: usize) {
        let Some(start) = self.starts.get(number) else { return };
        self.all.fetch_add(1, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        if start.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.distinct.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Called by each handler with its payload.
pub(crate) fn ran(payload: &str) {
    let digits = payload.bytes().take_while(u8::is_ascii_digit).count();
    if let (Some(runs), Ok(number)) = (RUNS.get(), payload[..digits].parse()) {
        runs.ran(number);
    }
}

/// The payload of a job, which its encoding makes so many bytes longer.
pub(crate) fn payload(number: u32, overhead: usize) -> String {
    format!("{number:x<width$}", width = PAYLOAD - overhead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_runs_twice_is_one_duplicate() {
        let runs = Runs::begin(2);
        assert!(runs.started(1).is_none() && runs.duplicates().is_err());
        for number in [1, 0, 1] {
            ran(&payload(number, 2));
        }
        assert!(runs.started(1).is_some());
        assert_eq!((runs.distinct(), runs.duplicates().ok()), (2, Some(1)));
        assert_eq!(payload(12, 2).len(), 98);
    }
}
