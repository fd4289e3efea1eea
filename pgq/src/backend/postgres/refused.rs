//! Jobs that the database refuses to free, as by a trigger of the user's or for damaged data.

use std::time::Duration;

use crate::platform::{Clock, Mark};

/// For how long they are left alone.
const ASIDE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Refused {
    clock: Clock,
    jobs: Vec<(i64, Mark)>,
}

impl Refused {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, jobs: Vec::new() }
    }

    pub(super) fn add(&mut self, jobs: Vec<i64>) {
        self.jobs.extend(jobs.into_iter().map(|job| (job, self.clock.mark())));
    }

    /// Those whose time isn't over.
    pub(super) fn ids(&mut self) -> Vec<i64> {
        self.jobs.retain(|(_, since)| since.elapsed() < ASIDE);
        self.jobs.iter().map(|(job, _)| *job).collect()
    }
}
