//! The flags and variables of a worker program.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::*;
use pgq_core::literal;

use super::builder::{DRAIN, SLOTS};
use super::heartbeat::{LEASE, check_lease};
use crate::client::{switch, variable};
use crate::error::{Error, Kind, Result};

pub(super) const HELP: &str = "\
Runs the tasks of this program: background jobs on PostgreSQL.

Options (or the variable in brackets, where there is one):
  --database-url URL    the database [DATABASE_URL; else PGHOST and its like]
  --memory              keep jobs in memory instead, for a try
  --schema NAME         the schema of pgq's tables, `pgq` unless named [PGQ_SCHEMA]
  --prefix NAME         what their names begin with [PGQ_PREFIX]
  --migrate             install or update the tables before starting
  --tasks A,B           run only these tasks [PGQ_TASKS]
  --queues A,B          serve exactly these queues [PGQ_QUEUES]
  --slots N             how many attempts run at once, 50 unless named [PGQ_SLOTS]
  --blocking-slots N    how many of them may be of blocking tasks, as many as there are slots
                        unless named [PGQ_BLOCKING_SLOTS]
  --drain-timeout SPAN  how long running handlers may go on when the worker is asked
                        to stop, 25s unless named [PGQ_DRAIN_TIMEOUT]
  --lease SPAN          for how long the worker may be silent before its jobs are given to
                        others, 15s unless named, from 1s to 1h [PGQ_LEASE]
  --poll-only           rest nothing on a session of the database, so that a pooler in
                        transaction mode may be between: look for new jobs about every
                        second [PGQ_POLL_ONLY=1]
  --synchronous-commit  let claims and ends wait for the disk, as the server has it set, instead of
                        leaving it to a crash of the server which of the last ones are forgotten
                        and done again [PGQ_SYNCHRONOUS_COMMIT=1]
  --drain               stop when nothing is left to do, retries included, but what was
                        enqueued for later, or put off by its handler (snoozed)
  --shutdown-on-listener-failure
                        stop when new jobs can't be heard of, instead of looking for
                        them about every second until they can
  --restart             begin anew inside the process, after a pause that grows, where the
                        worker would end because of what surrounds it: a database that can't be
                        reached when it starts, resources that can't be made, new jobs that
                        can't be heard of; not after it was asked to stop, or nothing was left
                        for --drain, nor where nothing would be better then, as with a wrong
                        password or absent tables
  --tasks-only          run jobs, and leave it to others to make those of schedules
  --schedules-only      make the jobs of schedules, and leave it to others to run them
  --prune-schedules     delete schedules that no worker has declared for ten minutes
  -h, --help            print this

More variables: PGQ_MAX_PAYLOAD, the largest payload in bytes, 1048576 unless named.

Signals: the first SIGTERM or SIGINT stops claiming and lets handlers end; the second
hands back what still runs.

Exit codes: 0 stopped as asked, by signals, however often, or by --drain, also where running
handlers were handed back; 1 ended otherwise; 2 bad flag or variable; 3 no database named;
4 database unreachable, full, read-only, or not admitting this role; 5 tables absent;
6 tables of another version; 7 no task; 8 two tasks of one name, or with other bounds of one
limit; 9 a resource is missing; 10 the resources could not be made; 11 new jobs couldn't be
heard of (--shutdown-on-listener-failure); 12 a pooler in transaction mode is between
(--poll-only).
A database that is full, starts up or only reads is tried for 30s before that is its end,
and all that may pass for as long as it takes with --restart.";

const SYNCHRONOUS: &str = "PGQ_SYNCHRONOUS_COMMIT";

/// What the flags and variables say.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag without a value")]
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flags {
    pub(super) database_url: Option<String>,
    pub(super) memory: bool,
    pub(super) schema: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) migrate: bool,
    pub(super) tasks: Option<Vec<String>>,
    pub(super) queues: Option<Vec<String>>,
    pub(super) slots: usize,
    pub(super) blocking_slots: Option<usize>,
    pub(super) drain_timeout: Duration,
    pub(super) lease: Duration,
    pub(super) poll_only: bool,
    pub(super) synchronous_commit: bool,
    pub(super) drain: bool,
    pub(super) shutdown_on_listener_failure: bool,
    pub(super) restart: bool,
    pub(super) prune_schedules: bool,
    pub(super) tasks_only: bool,
    pub(super) schedules_only: bool,
}

impl Flags {
    /// The variables of the environment, and the flags over them.
    pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut flags = Self::from_env(variable)?;
        flags.parse(lexopt::Parser::from_args(arguments))?;
        Ok(flags)
    }

    fn from_env(variable: impl Fn(&str) -> Result<Option<String>>) -> Result<Self> {
        let parsed = |name: &str| -> Result<_> { Ok(variable(name)?.map(|text| (name.to_owned(), text))) };
        let slots = parsed("PGQ_SLOTS")?.map_or(Ok(SLOTS), |(name, text)| slots_of(&name, &text))?;
        let blocking_slots = parsed("PGQ_BLOCKING_SLOTS")?.map(|(name, text)| slots_of(&name, &text)).transpose()?;
        let drain_timeout = parsed("PGQ_DRAIN_TIMEOUT")?.map_or(Ok(DRAIN), |(name, text)| span(&name, &text))?;
        let lease = parsed("PGQ_LEASE")?.map_or(Ok(LEASE), |(name, text)| lease_of(&name, &text))?;
        Ok(Self {
            database_url: variable("DATABASE_URL")?,
            memory: false,
            schema: variable("PGQ_SCHEMA")?,
            prefix: variable("PGQ_PREFIX")?,
            migrate: false,
            tasks: parsed("PGQ_TASKS")?.map(|(name, text)| list(&name, &text)).transpose()?,
            queues: parsed("PGQ_QUEUES")?.map(|(name, text)| list(&name, &text)).transpose()?,
            slots,
            blocking_slots,
            drain_timeout,
            lease,
            poll_only: false,
            synchronous_commit: switch(SYNCHRONOUS, variable(SYNCHRONOUS)?.as_deref())?,
            drain: false,
            shutdown_on_listener_failure: false,
            restart: false,
            prune_schedules: false,
            tasks_only: false,
            schedules_only: false,
        })
    }

    fn parse(&mut self, mut parser: lexopt::Parser) -> Result<()> {
        let mut given = BTreeSet::new();
        while let Some(argument) = parser.next().map_err(bad)? {
            if let Long(name) = argument
                && !given.insert(name.to_owned())
            {
                return Err(Error::invalid(format!("expected `--{name}` once, got it twice: see --help")));
            }
            match argument {
                Long("database-url") => self.database_url = Some(text(&mut parser)?),
                Long("memory") => self.memory = true,
                Long("schema") => self.schema = Some(text(&mut parser)?),
                Long("prefix") => self.prefix = Some(text(&mut parser)?),
                Long("migrate") => self.migrate = true,
                Long("tasks") => self.tasks = Some(list("--tasks", &text(&mut parser)?)?),
                Long("queues") => self.queues = Some(list("--queues", &text(&mut parser)?)?),
                Long("slots") => self.slots = slots_of("--slots", &text(&mut parser)?)?,
                Long("blocking-slots") => {
                    self.blocking_slots = Some(slots_of("--blocking-slots", &text(&mut parser)?)?);
                }
                Long("poll-only") => self.poll_only = true,
                Long("synchronous-commit") => self.synchronous_commit = true,
                Long("drain") => self.drain = true,
                Long("shutdown-on-listener-failure") => self.shutdown_on_listener_failure = true,
                Long("restart") => self.restart = true,
                Long("prune-schedules") => self.prune_schedules = true,
                Long("tasks-only") => self.tasks_only = true,
                Long("schedules-only") => self.schedules_only = true,
                Long("drain-timeout") => self.drain_timeout = span("--drain-timeout", &text(&mut parser)?)?,
                Long("lease") => self.lease = lease_of("--lease", &text(&mut parser)?)?,
                other => return Err(bad(other.unexpected())),
            }
        }
        Ok(())
    }
}

/// The message of a flag that isn't valid. It doesn't hold what followed: that could be a URL with its password.
fn bad(error: lexopt::Error) -> Error {
    let message = match error {
        lexopt::Error::UnexpectedOption(option) => format!("there is no option `{option}`: see --help"),
        lexopt::Error::MissingValue { option: Some(option) } => {
            format!("expected a value after `{option}`: see --help")
        }
        lexopt::Error::UnexpectedValue { option, .. } => format!("expected no value after `{option}`: see --help"),
        lexopt::Error::UnexpectedArgument(_) => "expected options only, which begin with `--`: see --help".to_owned(),
        _ => "an argument isn't valid: see --help".to_owned(),
    };
    Error::invalid(message)
}

fn text(parser: &mut lexopt::Parser) -> Result<String> {
    parser.value().map_err(bad)?.into_string().map_err(|_| Error::invalid("expected a value in UTF-8"))
}

fn list(name: &str, text: &str) -> Result<Vec<String>> {
    let names: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() {
        return Err(Error::invalid(format!("{name}: expected names with commas between them, got {text:?}")));
    }
    Ok(names)
}

fn slots_of(name: &str, text: &str) -> Result<usize> {
    let slots = text.parse().ok().filter(|slots| (1..=100_000).contains(slots));
    slots.ok_or_else(|| Error::invalid(format!("{name}: expected a number from 1 to 100000, got {text:?}")))
}

fn span(name: &str, text: &str) -> Result<Duration> {
    literal::duration(text).map_err(|error| Error::invalid(format!("{name}: {error}")))
}

fn lease_of(name: &str, text: &str) -> Result<Duration> {
    check_lease(span(name, text)?).map_err(|error| Error::invalid(format!("{name}: {error}")))
}

/// The exit code of an error that ends a worker program; `HELP` lists them.
pub(super) fn exit_code(error: &Error) -> i32 {
    match error.kind() {
        Kind::Interrupted | Kind::Payload | Kind::Unsupported | Kind::Duplicate { .. } => 1,
        Kind::Database | Kind::Refused | Kind::Denied => 1,
        Kind::Invalid => 2,
        Kind::NoDatabase => 3,
        Kind::Unreachable | Kind::Unavailable | Kind::Overtaxed | Kind::NotAdmitted => 4,
        Kind::SchemaAbsent => 5,
        Kind::SchemaMismatch => 6,
        Kind::NoTasks => 7,
        Kind::DuplicateTask => 8,
        Kind::MissingResource => 9,
        Kind::Init => 10,
        Kind::Deaf => 11,
        Kind::Pooled => 12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Flags> {
        let mut flags = Flags::from_env(|_| Ok(None))?;
        flags.parse(lexopt::Parser::from_args(arguments))?;
        Ok(flags)
    }

    #[test]
    fn flags_win_over_variables() {
        let env = |name: &str| Ok((name == "PGQ_SLOTS").then(|| "7".to_owned()));
        let mut flags = Flags::from_env(env).unwrap();
        assert_eq!(flags.slots, 7);
        flags.parse(lexopt::Parser::from_args(["--slots", "9", "--queues=mail, bulk"])).unwrap();
        assert_eq!((flags.slots, flags.queues), (9, Some(vec!["mail".to_owned(), "bulk".to_owned()])));
    }

    #[test]
    fn a_switch_is_a_flag_or_a_variable() {
        let env = |text: &'static str| Flags::from_env(move |name| Ok((name == SYNCHRONOUS).then(|| text.to_owned())));
        assert!(env("1").unwrap().synchronous_commit && !env("false").unwrap().synchronous_commit);
        assert!(
            parse(&["--synchronous-commit"]).unwrap().synchronous_commit && !parse(&[]).unwrap().synchronous_commit
        );
        let message = "PGQ_SYNCHRONOUS_COMMIT: expected `1`, `true`, `0` or `false`, got \"on\"";
        assert_eq!(env("on").unwrap_err().to_string(), message);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (arguments, message) in [
            (["--slot", "9"], "there is no option `--slot`: see --help"),
            (["--queues", ","], "--queues: expected names with commas between them, got \",\""),
            (["--slots", "0"], "--slots: expected a number from 1 to 100000, got \"0\""),
            (["--blocking-slots", "x"], "--blocking-slots: expected a number from 1 to 100000, got \"x\""),
            (["--lease", "200ms"], "--lease: expected a lease of at least 1 s, got 200ms"),
            (["--lease", "2h"], "--lease: expected a lease of at most 1 h, got 7200s"),
            (["--lease=5s", "--lease=6s"], "expected `--lease` once, got it twice: see --help"),
            (["--drain", "--drain"], "expected `--drain` once, got it twice: see --help"),
            (["--memory", "--slots"], "expected a value after `--slots`: see --help"),
        ] {
            assert_eq!(parse(&arguments).unwrap_err().to_string(), message);
        }
        assert!(
            parse(&["--drain-timeout", "5"]).unwrap_err().to_string().starts_with("--drain-timeout: expected a span")
        );
    }

    #[test]
    fn a_password_never_reaches_a_message() {
        let error = parse(&["postgres://a:secret@b/c"]).unwrap_err();
        assert!(!format!("{error:?}").contains("secret"));
    }
}
