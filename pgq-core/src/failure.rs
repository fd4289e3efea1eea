//! What is kept of an attempt that failed, made safe: handlers pass on text from anywhere.

use std::error::Error;
use std::fmt;

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The handler returned an error.
    Error,
    /// The handler panicked.
    Panic,
    /// The handler ran for longer than it may.
    Timeout,
    /// The worker fell silent while it held the job.
    Crashed,
    /// The worker couldn't say in time that it lives, and ended the attempt before somebody else begins another. Told in the log: no
    /// attempt is lost by it, as its job is handed back.
    LostLease,
    /// The payload could not be read.
    Decode,
    /// No attempt had begun when the job's time to begin was over.
    Expired,
    /// The handler asked for the job to be discarded.
    Discarded,
    /// The handler asked for the job to be cancelled.
    Cancelled,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Error,
        Self::Panic,
        Self::Timeout,
        Self::Crashed,
        Self::LostLease,
        Self::Decode,
        Self::Expired,
        Self::Discarded,
        Self::Cancelled,
    ];

    /// The word that the database, the logs and the dashboards use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Crashed => "crashed",
            Self::LostLease => "lost_lease",
            Self::Decode => "decode",
            Self::Expired => "expired",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }

    /// The kind of a word, or `None` where a newer version wrote it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest message that is kept, in bytes; the rest is cut.
pub const MAX_MESSAGE: usize = 8 * 1024;
/// The longest text of a cause that is kept, in bytes.
pub const MAX_CAUSE: usize = 1024;
/// The most causes that are kept of one failure.
pub const MAX_CHAIN: usize = 16;
/// The most failures that are kept of one job: the last ones.
pub const MAX_FAILURES: usize = 100;

/// How and why one attempt failed. Its texts hold no NUL and are bounded ([`MAX_MESSAGE`],
/// [`MAX_CAUSE`], [`MAX_CHAIN`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    message: String,
    chain: Vec<String>,
}

impl Failure {
    /// A failure with a message of its own.
    #[must_use]
    pub fn new(kind: FailureKind, message: &str) -> Self {
        Self { kind, message: safe(message, MAX_MESSAGE), chain: Vec::new() }
    }

    /// A failure that an error describes, with its chain of sources.
    #[must_use]
    pub fn from_error(kind: FailureKind, error: &(dyn Error + 'static)) -> Self {
        let sources = std::iter::successors(error.source(), |error| (*error).source());
        let chain = sources.take(MAX_CHAIN).map(|source| safe(&source.to_string(), MAX_CAUSE)).collect();
        Self { kind, message: safe(&error.to_string(), MAX_MESSAGE), chain }
    }

    /// Of a job whose time to begin is over.
    #[must_use]
    pub fn expired() -> Self {
        Self::new(FailureKind::Expired, "no attempt had begun when the time for it was over")
    }

    /// With one more cause, after those that it has.
    #[must_use]
    pub fn with_cause(mut self, cause: &str) -> Self {
        if self.chain.len() < MAX_CHAIN {
            self.chain.push(safe(cause, MAX_CAUSE));
        }
        self
    }

    /// How it failed.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// What the error said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What its sources said, the nearest first.
    #[must_use]
    pub fn chain(&self) -> &[String] {
        &self.chain
    }
}

/// `text` without NUL, which PostgreSQL's text can't hold, and cut at a character's border.
fn safe(text: &str, most: usize) -> String {
    if text.len() <= most && !text.contains('\0') {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most);
    let mut kept = text[..end].replace('\0', "\u{fffd}");
    if end < text.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_made_safe_and_bounded() {
        assert_eq!(Failure::new(FailureKind::Error, "a\0b").message(), "a\u{fffd}b");
        let long = Failure::new(FailureKind::Error, &"ä".repeat(MAX_MESSAGE));
        assert!(long.message().len() <= MAX_MESSAGE + '…'.len_utf8() && long.message().ends_with('…'));
    }

    #[test]
    fn every_kind_reads_back_from_its_word() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(FailureKind::from_word("eaten"), None);
    }
}
