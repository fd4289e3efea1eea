//! Uniqueness: one job of a task per unique key, and what happens to the second.

use std::time::Duration;

/// The longest unique key, in bytes.
pub const MAX_UNIQUE_KEY: usize = 512;

/// That a job is the only one of its task with a key while it is scheduled, available, running or retryable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The unique key, 1 to [`MAX_UNIQUE_KEY`] bytes without NUL.
    pub key: String,
    /// What happens to a second one.
    pub on_conflict: OnConflict,
    /// For how long after it has ended the key stays taken; zero frees it at once.
    pub window: Duration,
}

/// What a task declares about the uniqueness of its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniqueBy {
    /// Where the unique key comes from.
    pub key: UniqueKey,
    /// What happens to a second one.
    pub on_conflict: OnConflict,
    /// For how long after it has ended the key stays taken; zero frees it at once.
    pub window: Duration,
}

/// Where a task's unique keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueKey {
    /// One key: one job of the task at a time.
    Same(&'static str),
    /// The values of these fields of the arguments, as they are stored.
    Fields(&'static [&'static str]),
}

/// What happens to a job whose unique key is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnConflict {
    /// It is refused, with the id of the one that is there.
    #[default]
    Reject,
    /// The one that is there is as good: its handle is given instead.
    Skip,
    /// Its arguments, queue, time, priority, headers and number of attempts replace those of the one that is there (debounce),
    /// unless that runs already or has ended: then it is refused.
    Replace,
    /// Its priority goes to the one that is there, where it is higher and that is still queued.
    RaisePriority,
}

impl OnConflict {
    /// The word that declarations use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
            Self::Replace => "replace",
            Self::RaisePriority => "raise_priority",
        }
    }

    /// What happens, by its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reject, Self::Skip, Self::Replace, Self::RaisePriority];
}

/// What became of a job that was to be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// It was put in.
    New,
    /// Another one with its unique key is there, and is as good.
    Existing,
    /// It replaced what another one with its unique key carried.
    Replaced,
    /// Another one with its unique key was given its priority, where that is higher.
    Raised,
    /// Another one with its unique key is there, and it was refused.
    Rejected {
        /// Whether that one runs.
        running: bool,
    },
}
