//! Limits as operators see and set them.

use pgq_core::Timestamp;
use pgq_core::limit::{of_task, shared};

use super::{Bounds, Measure};

/// Which limit bounds are set of, or of which value of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitName {
    /// Its full name.
    pub limit: String,
    /// The task whose own it would be, where there is none yet.
    pub task: Option<String>,
    /// The gate of the one value that is meant.
    pub gate: Option<String>,
}

/// A limit as it stands. It prints as a line: `send: 20 at once, set in place of 5 at once; workers have 3 of 20 places`. One that tasks
/// share begins with that, as a task may have its name: `shared stripe: 20 starts a second`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitInfo {
    /// What it is called: `send` is a task's own, `send[tenant]` one with a key, `stripe` one that tasks share.
    pub name: String,
    /// The task whose own it is; `None` where tasks share it.
    pub task: Option<String>,
    /// What it is counted by; `None` counts all.
    pub key: Option<String>,
    /// What workers declare; `None` where none does, or none any more.
    pub declared: Option<Bounds>,
    /// The override: what an operator has set in place of that.
    pub set: Option<Bounds>,
    /// What is in force. What is `None` in it isn't bounded.
    pub bounds: Bounds,
    /// Which workers have units of it or wait for some, where it has no key.
    pub shares: Vec<LimitShare>,
    /// For how many values of its key attempts run, counted over 10,000 attempts at most.
    pub busy: u32,
    /// For how many values of its key jobs wait, up to 10,000; a moment old.
    pub blocking: u32,
    /// The overrides of single values of its key, by value: the first 1,000.
    pub values: Vec<(String, Bounds)>,
    pub(crate) full_name: String,
    pub(crate) sharers: Vec<String>,
}

/// What one worker has of a limit without a key. It prints as such: `db1:4711 has 3 places and waits for 2 more`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitShare {
    /// Which, as `host:pid`.
    pub worker: String,
    /// What the units are of: attempts at once, or the rate's burst.
    pub measure: Measure,
    /// How many it has. Those that it doesn't use go back within about a second.
    pub units: u32,
    /// For how many more it waits.
    pub waits_for: u32,
    /// When it has its next token of a rate, where it has said so, which it does where it has to wait for two seconds or longer.
    pub next: Option<Timestamp>,
}

impl LimitInfo {
    /// One of which nobody has anything, by its full name.
    pub(crate) fn new(full_name: String, task: Option<String>, declared: Option<Bounds>, set: Option<Bounds>) -> Self {
        Self {
            name: shown(&full_name).to_owned(),
            task,
            key: key_of(&full_name).map(ToOwned::to_owned),
            declared,
            set,
            bounds: set.or(declared).unwrap_or_default(),
            shares: Vec::new(),
            busy: 0,
            blocking: 0,
            values: Vec::new(),
            full_name,
            sharers: Vec::new(),
        }
    }

    /// How many units of a measure workers have: places to run in, or of the rate's burst. Where the limit has a key, `busy` says
    /// how many values are in use.
    #[must_use]
    pub fn in_use(&self, measure: Measure) -> u32 {
        self.shares.iter().filter(|share| share.measure == measure).map(|share| share.units).sum()
    }

    /// A worker has so much of it; what isn't bounded isn't divided.
    pub(crate) fn add_share(&mut self, share: LimitShare) {
        let waits_or_has = share.units > 0 || share.waits_for > 0;
        if waits_or_has && share.measure.cap(self.bounds).is_some() {
            self.shares.push(share);
        }
    }
}

/// What users call a limit of this full name.
pub(crate) fn shown(full_name: &str) -> &str {
    full_name.split_once(':').map_or(full_name, |(_, name)| name)
}

/// What a limit of this full name is counted by.
pub(crate) fn key_of(full_name: &str) -> Option<&str> {
    full_name.strip_suffix(']')?.split_once('[').map(|(_, key)| key)
}

/// The full name of a task's own limit, or of one that tasks share.
pub(crate) fn full_name(task: Option<&str>, name: &str, key: Option<&str>) -> String {
    let owner = task.map_or_else(|| shared(name), of_task);
    key.map_or(owner.clone(), |key| format!("{owner}[{key}]"))
}

/// The limit of a gate of this name, and the value: `limit[key]=value`.
pub(crate) fn parts_of_gate(gate: &str) -> (&str, &str) {
    gate.split_once("]=").map_or((gate, ""), |(limit, value)| (&gate[..=limit.len()], value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_are_read_as_they_are_written() {
        assert_eq!(full_name(Some("send"), "", None), "task:send");
        assert_eq!(full_name(None, "stripe", Some("account")), "shared:stripe[account]");
        assert_eq!((shown("task:a:b[c]"), key_of("task:a:b[c]"), key_of("shared:x")), ("a:b[c]", Some("c"), None));
        assert_eq!(parts_of_gate("task:send[tenant]=a]=b"), ("task:send[tenant]", "a]=b"));
    }
}
