//! How far an attempt has come, between its handler and the worker.

use std::sync::{Mutex, PoisonError};

use crate::backend::Steps;

/// What a handler says of how far it has come: it may say so a million times a second, and the worker looks once.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Mutex<Reading>);

#[derive(Debug, Default)]
struct Reading {
    said: Option<Steps>,
    written: Option<Steps>,
}

impl Gauge {
    pub(super) fn say(&self, steps: Steps) {
        self.with(|reading| reading.said = Some(steps));
    }

    /// What was said last.
    pub(crate) fn said(&self) -> Option<Steps> {
        self.with(|reading| reading.said)
    }

    /// The same, where something else is written, or nothing.
    pub(crate) fn unwritten(&self) -> Option<Steps> {
        self.with(|reading| reading.said.filter(|_| reading.said != reading.written))
    }

    pub(crate) fn wrote(&self, steps: Steps) {
        self.with(|reading| reading.written = Some(steps));
    }

    fn with<T>(&self, look: impl FnOnce(&mut Reading) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_to_be_written_until_it_is() {
        let gauge = Gauge::default();
        assert_eq!(gauge.unwritten(), None);
        let (first, second) = (Steps::new(1, 3), Steps::new(2, 3));
        gauge.say(first);
        gauge.say(second);
        assert_eq!(gauge.unwritten(), Some(second), "the last one counts");
        gauge.wrote(first);
        assert_eq!(gauge.unwritten(), Some(second), "something else is written");
        gauge.wrote(second);
        gauge.say(second);
        assert_eq!(gauge.unwritten(), None, "saying it again is no news");
    }
}
