//! The options of `#[task]` and `#[payload]`, read and checked.

mod entry;
mod keep;
mod limit;
mod retry;
mod schedule;
mod unique;
mod value;

use std::time::Duration;

use pgq_core::options::Keep;
use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path, Result};

pub(crate) use entry::{Entry, Value, entries, unknown};
pub(crate) use limit::{Limit, LimitKey, Limits};
pub(crate) use retry::Policy;
use retry::Retry;
use schedule::Reading;
pub(crate) use schedule::Schedule;
pub(crate) use unique::{Key, Unique};
pub(crate) use value::path;

use crate::errors::{Errors, wrong};
use crate::krate::Krate;

/// What `#[task(…)]` says.
pub(crate) struct Options {
    pub(crate) krate: Krate,
    pub(crate) schema: bool,
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) priority: Option<i16>,
    pub(crate) attempts: Option<u16>,
    pub(crate) retry: Option<Policy>,
    /// The function that says what to do about an error.
    pub(crate) on_error: Option<Path>,
    /// What runs around every attempt, the outermost first.
    pub(crate) layers: Vec<Path>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) unique: Option<Unique>,
    pub(crate) keep: Option<Keep>,
    pub(crate) limits: Limits,
    pub(crate) schedule: Option<Schedule>,
}

/// What a task may say.
const KNOWN: &[&str] = &[
    "name",
    "aliases",
    "queue",
    "priority",
    "retry",
    "attempts",
    "on_error",
    "layer",
    "timeout",
    "expires_in",
    "unique",
    "keep",
    "concurrency",
    "rps",
    "burst",
    "per",
    "per_worker",
    "limit",
    "schema",
    "crate",
];

/// What the documents promise and nothing does yet: refused, because an option that is ignored is worse than none.
const PLANNED: &[&str] = &["version", "tags", "abort", "codec", "result"];

impl Default for Options {
    fn default() -> Self {
        Self {
            krate: Krate::default(),
            schema: true,
            name: None,
            aliases: Vec::new(),
            queue: None,
            priority: None,
            attempts: None,
            retry: None,
            on_error: None,
            layers: Vec::new(),
            timeout: None,
            expires_in: None,
            unique: None,
            keep: None,
            limits: Limits::default(),
            schedule: None,
        }
    }
}

impl Options {
    /// Reads the options of a task. One that is wrong is left out, with its error noted.
    pub(crate) fn of_task(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for entry in entries(tokens, errors) {
            errors.take(options.set(&entry));
        }
        errors.take(options.limits.end());
        options
    }

    /// Reads the options of a schedule: an expression, what is said of its ticks, and a task's.
    pub(crate) fn of_schedule(tokens: TokenStream, errors: &mut Errors) -> Self {
        let (mut schedule, rest) = Reading::begin(tokens, errors);
        let mut options = Self::default();
        for entry in entries(rest, errors) {
            errors.take(match entry.name.to_string().as_str() {
                own if schedule::OWN.contains(&own) => schedule.set(&entry),
                "unique" => {
                    wrong(&entry.name, "`overlap` says how many jobs of a schedule there are: leave `unique` out")
                }
                of_task if KNOWN.contains(&of_task) || PLANNED.contains(&of_task) || of_task == "serial" => {
                    options.set(&entry)
                }
                _ => schedule.refuse(&entry.name),
            });
        }
        errors.take(options.limits.end());
        options.schedule = schedule.end(errors);
        options
    }

    /// Reads the options of a payload, which are two of a task's.
    pub(crate) fn of_payload(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for entry in entries(tokens, errors) {
            errors.take(match entry.name.to_string().as_str() {
                "schema" | "crate" => options.set(&entry),
                _ => wrong(&entry.name, unknown("option", &entry.name, &["schema", "crate"])),
            });
        }
        options
    }

    fn set(&mut self, entry: &Entry) -> Result<()> {
        match entry.name.to_string().as_str() {
            "name" => self.name = Some(value::name(entry.is("name = \"send_welcome\"")?)?),
            "aliases" => self.aliases = value::names(entry.is("aliases = [\"old_name\"]")?)?,
            "queue" => self.queue = Some(value::name(entry.is("queue = \"mail\"")?)?),
            "priority" => {
                self.priority = Some(value::number(entry.is("priority = 10")?, &(-i16::MAX..=i16::MAX))?);
            }
            "attempts" => self.set_attempts(&entry.name, value::attempts(entry.is("attempts = 8")?)?)?,
            "retry" => self.set_retry(entry)?,
            "on_error" => {
                let expected = "the path of a function without quotes, such as `on_error = what_to_do`";
                self.on_error = Some(value::path_or(entry.is("on_error = what_to_do")?, expected)?);
            }
            "layer" => self.layers = value::layers(entry.is("layer = breaker")?)?,
            "timeout" => self.timeout = Some(value::positive_span(entry.is("timeout = \"30s\"")?)?),
            "expires_in" => self.expires_in = Some(value::positive_span(entry.is("expires_in = \"1h\"")?)?),
            "unique" => self.unique = Some(unique::read(entry)?),
            "keep" => self.keep = Some(keep::read(entry)?),
            "schema" => self.set_schema(entry)?,
            "crate" => self.krate = path(entry.is("crate = my::pgq")?)?.into(),
            own if limit::OWN.contains(&own) => self.limits.set(entry)?,
            own if schedule::OWN.contains(&own) => {
                let message = format!("`{own}` is an option of a schedule: write `#[pgq::schedule(…)]`");
                return wrong(&entry.name, message);
            }
            "serial" => return wrong(&entry.name, limit::SERIAL),
            "schedule" | "cron" => return wrong(&entry.name, schedule::ATTRIBUTE),
            planned if PLANNED.contains(&planned) => {
                return wrong(&entry.name, format!("the option `{planned}` isn't there yet: leave it out"));
            }
            _ => return wrong(&entry.name, unknown("option", &entry.name, KNOWN)),
        }
        Ok(())
    }

    fn set_retry(&mut self, entry: &Entry) -> Result<()> {
        let retry = Retry::read(entry.is("retry = exponential(\"1s\", max = \"10m\")")?)?;
        self.retry = retry.policy;
        retry.attempts.map_or(Ok(()), |(at, attempts)| self.set_attempts(&at, attempts))
    }

    fn set_attempts(&mut self, at: &Ident, attempts: u16) -> Result<()> {
        match self.attempts.replace(attempts) {
            None => Ok(()),
            Some(_) if at == "none" => wrong(at, "`retry = none` is one attempt: leave `attempts` out"),
            Some(1) if self.retry.is_none() => wrong(at, "`retry = none` is one attempt: leave `attempts` out"),
            Some(_) => wrong(at, "the attempts are given twice, in `retry` and beside it: keep one of them"),
        }
    }

    fn set_schema(&mut self, entry: &Entry) -> Result<()> {
        let expr = entry.is("schema = none")?;
        if !value::is_none(expr) {
            return value::unexpected("`none`: a schema is made of the argument's type unless one says so", expr);
        }
        self.schema = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
