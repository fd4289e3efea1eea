//! A job: one row, as values. A [`NewJob`] goes in, a [`Claimed`] comes out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use crate::{Tick, Timestamp, Unique};

/// The number of a job within its namespace. Ids are handed out in sequence and so can be guessed: whoever shows jobs on
/// the web authorises by something else. A table of your own keeps one as `bigint`: `i64::from(id)`, `JobId::from(number)`. In text
/// it is the number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As a table of your own keeps it.
impl From<i64> for JobId {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

/// As a table of your own keeps it.
impl From<JobId> for i64 {
    fn from(id: JobId) -> Self {
        id.0
    }
}

/// As it is shown.
impl FromStr for JobId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// −32,767 to 32,767; a higher number runs first, 0 is the default.
///
/// The range is symmetric because the database keeps the negated value (every column of the ready index ascends), and
/// `i16::MIN` has no negation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i16);

impl Priority {
    /// `None` for `i16::MIN`, the one value outside the range.
    #[must_use]
    pub const fn new(value: i16) -> Option<Self> {
        if value == i16::MIN { None } else { Some(Self(value)) }
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> i16 {
        self.0
    }

    /// The value by which jobs are sorted, lowest first.
    #[must_use]
    pub const fn rank(self) -> i16 {
        -self.0
    }

    /// The priority of a rank that [`Priority::rank`] gave; a rank of `i16::MIN` reads as the highest priority.
    #[must_use]
    pub const fn from_rank(rank: i16) -> Self {
        Self(rank.saturating_neg())
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text by name that travels with a job: a tenant, a trace, a request id.
pub type Headers = BTreeMap<String, String>;

/// How a payload is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// MessagePack with named fields, so that fields may be added, moved and left out between versions of the code.
    #[default]
    MessagePack,
    /// JSON, from whoever doesn't know the type.
    Json,
}

impl Codec {
    /// The number that the database keeps.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::MessagePack => 0,
            Self::Json => 1,
        }
    }

    /// The codec of a number, or `None` where a newer version wrote it.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::MessagePack),
            1 => Some(Self::Json),
            _ => None,
        }
    }
}

/// When a job may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// At once.
    #[default]
    Now,
    /// So long after it was enqueued, by the database's clock.
    After(Duration),
    /// At an instant; one in the past means at once.
    At(Timestamp),
}

/// A job that is to be enqueued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// The task that runs it, by its canonical name.
    pub task: Cow<'static, str>,
    /// The lane that it waits in.
    pub queue: Cow<'static, str>,
    /// Higher runs first.
    pub priority: Priority,
    /// When it may run.
    pub when: When,
    /// How many attempts may start in total, at least 1.
    pub max_attempts: u16,
    /// How long an attempt may run, where that isn't its task's to say.
    pub timeout: Option<Duration>,
    /// How long after it could run it may begin.
    pub expires_in: Option<Duration>,
    /// Whether it is the only one of its task with some key.
    pub unique: Option<Unique>,
    /// How the payload is written.
    pub codec: Codec,
    /// The encoded arguments.
    pub payload: Vec<u8>,
    /// Text that travels along.
    pub headers: Headers,
    /// The tick of a schedule that made it.
    pub tick: Option<Tick>,
    /// The gates of its task's limits with a key: what [`gate_name`](crate::limit::gate_name) calls them.
    pub limit_keys: Vec<String>,
}

/// A job that a worker has won the lease of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Which job.
    pub id: JobId,
    /// The claim number: it only grows, and fences every write of this attempt.
    pub epoch: u32,
    /// Which attempt this is, from 1; snooze and release refund it.
    pub attempt: u16,
    /// How many attempts may start in total.
    pub max_attempts: u16,
    /// How often a worker died while it ran the job.
    pub crashes: u16,
    /// The lane that it waited in.
    pub queue: String,
    /// The task that runs it.
    pub task: String,
    /// How the payload is written: a [`Codec`]'s number, unread so that an unknown one parks the job and not the claim.
    pub codec: i16,
    /// Higher runs first.
    pub priority: Priority,
    /// Since when it could run.
    pub run_at: Timestamp,
    /// When it was enqueued.
    pub created: Timestamp,
    /// How long the attempt may run, where that isn't its task's to say.
    pub timeout: Option<Duration>,
    /// Its time to begin was over when it was claimed.
    pub expired: bool,
    /// What of its row can't be read, where something can't: this version didn't write it.
    pub damage: Option<String>,
    /// Text that travels along.
    pub headers: Headers,
    /// The tick of a schedule that made it.
    pub tick: Option<Tick>,
    /// The gates of its task's limits with a key, as they were when it was enqueued.
    pub limit_keys: Vec<String>,
    /// The encoded arguments.
    pub payload: Vec<u8>,
}

impl Claimed {
    /// Whether it may be the one that killed its workers: [`crash`](crate::crash) tells how that is found out.
    #[must_use]
    pub const fn is_suspect(&self) -> bool {
        self.crashes >= crate::crash::SUSPECT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_negated_priorities() {
        for value in [-32_767, -1, 0, 1, 32_767] {
            let priority = Priority::new(value).unwrap_or_default();
            assert_eq!(priority.get(), value);
            assert_eq!(Priority::from_rank(priority.rank()), priority);
        }
        assert_eq!(Priority::new(i16::MIN), None);
    }

    #[test]
    fn a_jobs_id_is_read_as_it_is_shown() {
        assert_eq!(JobId(42).to_string().parse(), Ok(JobId(42)));
        assert!("forty-two".parse::<JobId>().is_err());
    }
}
