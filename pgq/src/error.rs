//! The one error of the crate: opaque, asked by predicates, carrying what it was about.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::JobId;

/// What every fallible function of the crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error: for tasks that have no type of their own for theirs.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong, about which task and job, and why.
///
/// Ask it by its `is_*` predicates; its text says what was expected and what to do, and its
/// [`source`](StdError::source) is the error below it, if there is one. Passwords never stand in it.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    message: String,
    schedule: Option<String>,
    task: Option<String>,
    job: Option<JobId>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What an error is about; where it ends a worker program it has an exit code, see `runtime::flags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An argument, option, flag or variable that isn't valid.
    Invalid,
    /// A payload that can't be encoded, or is too large.
    Payload,
    /// A job whose unique key is taken.
    Duplicate {
        /// Whether the one that has it runs.
        running: bool,
    },
    /// Asked of a backend that can't do it.
    Unsupported,
    /// No database was named.
    NoDatabase,
    /// The server can't be reached, or refused the connection.
    Unreachable,
    /// The server lets nobody in just now, as it is full or starting up.
    Unavailable,
    /// The server doesn't let us in: no such database or role, or a password that is wrong.
    NotAdmitted,
    /// The server refused a statement, whatever it may be about.
    Database,
    /// The server refused what stands in a row, as by a constraint or a trigger.
    Refused,
    /// The server says that the role lacks a right.
    Denied,
    /// The server couldn't do a statement just now, as of a lock, a deadlock, a full disk or its own end.
    Overtaxed,
    /// The schema isn't installed.
    SchemaAbsent,
    /// The schema is older or newer than this version of the crate.
    SchemaMismatch,
    /// A worker without a task.
    NoTasks,
    /// Two tasks of one name, or that say other bounds of one limit.
    DuplicateTask,
    /// A task asks for a resource that isn't provided.
    MissingResource,
    /// `Resources::init` failed.
    Init,
    /// The connection leads to a pooler that keeps nothing of a session.
    Pooled,
    /// A worker that was to end when it can't hear of new jobs couldn't.
    Deaf,
    /// The worker was told to end at once, or its drain period ran out.
    Interrupted,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (schedule, task, job, source) = (None, None, None, None);
        Self(Box::new(Inner { kind, message: message.into(), schedule, task, job, source }))
    }

    /// An argument that isn't valid: the message says what was expected.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// A resource that could not be made: for [`Resources::init`](crate::Resources::init).
    pub fn init(error: impl Into<BoxError>) -> Self {
        Self::new(Kind::Init, "the resources could not be made").because(error)
    }

    /// Whether the server understood, and will refuse the same again.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.kind(), Kind::Database | Kind::Refused | Kind::SchemaAbsent)
    }

    /// Whether that is for what stands in a row, and nothing else.
    pub(crate) fn is_of_a_row(&self) -> bool {
        self.kind() == Kind::Refused
    }

    /// Whether the role lacks a right, which somebody took and may give back.
    pub(crate) fn is_denied(&self) -> bool {
        self.kind() == Kind::Denied
    }

    /// Whether there is no connection: nothing was done.
    pub(crate) fn is_unconnected(&self) -> bool {
        matches!(self.kind(), Kind::Unreachable | Kind::Unavailable | Kind::NotAdmitted)
    }

    /// Whether the session only reads. It may go on to when others may write again: so it was when it began.
    pub(crate) fn is_read_only(&self) -> bool {
        self.code().is_some_and(|code| code == "25006") || self.is_of_a_standby()
    }

    /// A standby refuses a table that isn't in the log before it says that it only reads, by a code (0A000) that others have too:
    /// it is known by where it comes from.
    fn is_of_a_standby(&self) -> bool {
        let error = self.database().and_then(|error| error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>());
        error.is_some_and(|error| error.code() == "0A000" && error.routine() == Some("get_relation_info"))
    }

    /// Whether there is no working with the database, for anybody: it can't be reached, lets nobody in, ends (57P01 and the
    /// next), says that its own connection broke (08), or only reads.
    pub(crate) fn is_away(&self) -> bool {
        let ends = |code: Cow<'_, str>| code.starts_with("57P0") || code.starts_with("08");
        self.is_unconnected() || self.is_read_only() || self.code().is_some_and(ends)
    }

    /// Whether it only says that somebody waited for too long: for a free connection, or for an answer.
    pub(crate) fn timed_out(&self) -> bool {
        let waited = |error: &sqlx::Error| matches!(error, sqlx::Error::PoolTimedOut);
        let source = self.source().map(|source| source.downcast_ref::<sqlx::Error>().is_some_and(waited));
        self.kind() == Kind::Unreachable && source.unwrap_or(true)
    }

    /// What it is about, and what the server calls it.
    pub(crate) fn reason(&self) -> (Kind, Option<String>) {
        (self.kind(), self.code().map(Cow::into_owned))
    }

    /// What the server calls it.
    fn code(&self) -> Option<Cow<'_, str>> {
        self.database().and_then(sqlx::error::DatabaseError::code)
    }

    fn database(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        let error = self.source().and_then(|error| error.downcast_ref::<sqlx::Error>());
        error.and_then(sqlx::Error::as_database_error)
    }

    /// The message and its causes on one line, for a log. What a cause only says again is left out.
    pub(crate) fn in_line(&self) -> String {
        let causes = std::iter::successors(self.source(), |cause| (*cause).source());
        one_line(self.to_string(), causes.map(ToString::to_string))
    }

    /// Whether it passes by itself, as a deadlock, unless a single row that was written brings it about each time; or a trigger does
    /// for one what the role has no right to.
    pub(crate) fn may_be_one_rows(&self) -> bool {
        self.is_denied() || self.kind() == Kind::Overtaxed && !self.is_away() && !self.is_short()
    }

    /// Whether the server hasn't what a statement takes just now, as room on its disk.
    pub(crate) fn is_short(&self) -> bool {
        self.kind() == Kind::Overtaxed && self.code().is_some_and(|code| code.starts_with("53"))
    }

    /// Whether somebody was there who ended the connection, as a server does where a transaction was silent for long: why he says,
    /// and who finds it broken when he writes doesn't hear it.
    fn was_broken_off(&self) -> bool {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let broken = |error: &sqlx::Error| match error {
            sqlx::Error::Io(error) => {
                matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
            }
            _ => false,
        };
        self.source().and_then(|error| error.downcast_ref::<sqlx::Error>()).is_some_and(broken)
    }

    /// Whether the server said something that passes by itself, or ended the connection, also to who made the resources.
    pub(crate) fn is_passing(&self) -> bool {
        let cause = || self.source().and_then(|cause| cause.downcast_ref::<Self>());
        match self.kind() {
            Kind::Overtaxed | Kind::Unavailable => true,
            Kind::Unreachable => self.was_broken_off(),
            Kind::Init => cause().is_some_and(Self::is_passing),
            _ => false,
        }
    }

    /// Whether what surrounds a worker was to blame, so that it may begin well another time: nothing in how it was made.
    pub(crate) fn may_be_mended(&self) -> bool {
        self.is_passing() || matches!(self.kind(), Kind::Unreachable | Kind::Init | Kind::Interrupted | Kind::Deaf)
    }

    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    pub(crate) fn about_schedule(mut self, schedule: &str) -> Self {
        self.0.schedule.get_or_insert_with(|| schedule.to_owned());
        self
    }

    pub(crate) fn about_task(mut self, task: &str) -> Self {
        self.0.task.get_or_insert_with(|| task.to_owned());
        self
    }

    pub(crate) fn about_job(mut self, job: JobId) -> Self {
        self.0.job.get_or_insert(job);
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The schedule that it is about.
    #[must_use]
    pub fn schedule(&self) -> Option<&str> {
        self.0.schedule.as_deref()
    }

    /// The task that it is about.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.0.task.as_deref()
    }

    /// The job that it is about.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        self.0.job
    }

    /// An argument, option, flag or variable that isn't valid. Nothing was done.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.kind() == Kind::Invalid
    }

    /// A payload that can't be encoded or is larger than allowed. Nothing was enqueued.
    #[must_use]
    pub fn is_payload(&self) -> bool {
        self.kind() == Kind::Payload
    }

    /// A job whose unique key is taken: [`job`](Error::job) is the one that has it. The transaction stays usable.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self.kind(), Kind::Duplicate { .. })
    }

    /// A job whose unique key is taken by one that runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.kind() == Kind::Duplicate { running: true }
    }

    /// Asked of a backend that can't do it: SQL of one's own on the in-memory backend.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.kind() == Kind::Unsupported
    }

    /// A worker that can't start as it is made: no database is named, it has no task, two tasks have one name or say other
    /// bounds of one limit, a task asks for what the resources don't provide, or it is connected to a pooler in transaction mode without knowing of that.
    #[must_use]
    pub fn is_setup(&self) -> bool {
        let kind = self.kind();
        matches!(kind, Kind::NoDatabase | Kind::NoTasks | Kind::DuplicateTask | Kind::MissingResource | Kind::Pooled)
    }

    /// The resources could not be made: [`Error::init`].
    #[must_use]
    pub fn is_init(&self) -> bool {
        self.kind() == Kind::Init
    }

    /// A worker ended otherwise than asked: it could not write what it knew, or not hear of new jobs.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.kind(), Kind::Interrupted | Kind::Deaf)
    }

    /// The database can't be reached, refused a statement or broke the connection off; [`source`](StdError::source)
    /// tells which.
    #[must_use]
    pub fn is_database(&self) -> bool {
        let refused = matches!(self.kind(), Kind::Database | Kind::Refused | Kind::Denied | Kind::Overtaxed);
        self.is_unconnected() || refused
    }

    /// The schema isn't installed, or is of another version than this crate.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        matches!(self.kind(), Kind::SchemaAbsent | Kind::SchemaMismatch)
    }
}

/// A message and its causes on one line, for a log. What a cause only says again is left out.
pub(crate) fn one_line(mut line: String, causes: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    for why in causes {
        if !line.contains(why.as_ref()) {
            let _ = write!(line, ": {}", why.as_ref());
        }
    }
    line.replace('\n', " ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schedule) = &self.0.schedule {
            write!(f, "schedule `{schedule}`: ")?;
        }
        if let Some(task) = &self.0.task {
            write!(f, "task `{task}`: ")?;
        }
        if let Some(job) = self.0.job {
            write!(f, "job {job}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

/// The message and its causes on lines of their own, because `main` prints an error this way. What a cause only says again is left out.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.to_string();
        f.write_str(&said)?;
        let causes = std::iter::successors(self.source(), |cause| (*cause).source());
        for cause in causes.map(ToString::to_string) {
            if !said.contains(&cause) {
                write!(f, "\n  because: {cause}")?;
                said = cause;
            }
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// So that `?` works on SQL of one's own in a function that returns [`Result`]: the server's answer, or the connection's.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        crate::backend::database(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cause_only_says_again_is_printed_once() {
        let cause = sqlx::Error::Io(std::io::Error::other("no route"));
        let error = Error::new(Kind::Unreachable, "it can't be reached").because(cause);
        assert_eq!(format!("{error:?}").matches("no route").count(), 1, "{error:?}");
    }
}
