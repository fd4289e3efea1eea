//! What `#[schedule("*/5 * * * *", tz = "Europe/Berlin", missed = "skip", overlap = "queue")]` says beside a task's options.

use pgq_core::schedule::meant_span;
use pgq_core::{Cadence, Missed, Overlap};
use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Lit, LitStr, Result, Token};

use super::entry::{self, Entry};
use super::{KNOWN, PLANNED, value};
use crate::errors::{Errors, shown, wrong};

/// When jobs are made.
pub(crate) struct Schedule {
    pub(crate) cadence: String,
    pub(crate) zone: String,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
}

/// The options that only a schedule has.
pub(super) const OWN: &[&str] = &["every", "tz", "missed", "overlap"];

/// What to say to a task that is to have one.
pub(super) const ATTRIBUTE: &str = "a task whose jobs are made by themselves is a schedule: write `#[pgq::schedule(\"*/5 * * * *\")]` in this one's place";

/// That a schedule has no such option.
fn unknown(name: &Ident) -> String {
    if name == "cron" || name == "schedule" || name == "expression" {
        return "the expression stands first, without a name: write `#[pgq::schedule(\"*/5 * * * *\")]`".to_owned();
    }
    let of_task = KNOWN.iter().filter(|known| **known != "unique");
    entry::unknown("option", name, &OWN.iter().chain(of_task).copied().collect::<Vec<_>>())
}

/// What the attribute says of the schedule, as it is read.
#[derive(Default)]
pub(super) struct Reading {
    expression: Option<LitStr>,
    every: Option<LitStr>,
    zone: Option<LitStr>,
    missed: Option<(LitStr, Missed)>,
    overlap: Option<Overlap>,
    /// Something was wrong, and has been told.
    wrong: bool,
}

impl Reading {
    /// Takes the expression, which stands first, and leaves the options.
    pub(super) fn begin(tokens: TokenStream, errors: &mut Errors) -> (Self, TokenStream) {
        let split = |input: ParseStream<'_>| {
            let expression: Option<Expr> = if is_expression(input) { Some(input.parse()?) } else { None };
            if expression.is_some() && input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
            Ok((expression, input.parse::<TokenStream>()?))
        };
        let (first, rest) = split.parse2(tokens.clone()).unwrap_or((None, tokens));
        let Some(first) = first else { return (Self::default(), rest) };
        let expression = errors.take(value::text(&first).or_else(|_| {
            let message = "expected a cron expression in quotes, as an attribute knows no constants";
            wrong(&first, format!("{message}: `\"*/5 * * * *\"`, got `{}`", shown(&first)))
        }));
        (Self { wrong: expression.is_none(), expression, ..Self::default() }, rest)
    }

    pub(super) fn set(&mut self, entry: &Entry) -> Result<()> {
        let set = self.set_one(entry);
        self.wrong |= set.is_err();
        set
    }

    /// An option that there isn't. It may have been meant to say when the schedule ticks.
    pub(super) fn refuse(&mut self, name: &Ident) -> Result<()> {
        self.wrong = true;
        wrong(name, unknown(name))
    }

    fn set_one(&mut self, entry: &Entry) -> Result<()> {
        match entry.name.to_string().as_str() {
            "every" => self.every = Some(checked(entry.is("every = \"90s\"")?, Cadence::every)?),
            "tz" => {
                let zone = |name: &str| Cadence::cron("@daily", name);
                self.zone = Some(checked(entry.is("tz = \"Europe/Berlin\"")?, zone)?);
            }
            "missed" => {
                let text = value::text(entry.is("missed = \"skip\"")?)?;
                let Some(missed) = Missed::read(&text.value()) else {
                    let message = "expected \"skip\", \"once\" or \"all(5)\", with 1 to 1000 for the most";
                    return wrong(&text, format!("{message}, got {:?}", text.value()));
                };
                self.missed = Some((text, missed));
            }
            _ => {
                let text = value::text(entry.is("overlap = \"skip\"")?)?;
                let Some(overlap) = Overlap::read(&text.value()) else {
                    return wrong(&text, format!("expected \"allow\", \"skip\" or \"queue\", got {:?}", text.value()));
                };
                self.overlap = Some(overlap);
            }
        }
        Ok(())
    }

    /// The schedule, unless something is wrong with it.
    pub(super) fn end(self, errors: &mut Errors) -> Option<Schedule> {
        let cadence = errors.take(self.cadence())?;
        let overlap = self.overlap.unwrap_or_default();
        if let Some((text, Missed::All(_))) = &self.missed
            && overlap != Overlap::Allow
        {
            errors.refuse(text, "this makes several jobs at once: add `overlap = \"allow\"`");
            return None;
        }
        let zone = self.zone.as_ref().map_or_else(|| "UTC".to_owned(), LitStr::value);
        let missed = self.missed.map(|(_, missed)| missed).unwrap_or_default();
        cadence.map(|cadence| Schedule { cadence, zone, missed, overlap })
    }

    /// When it ticks; `None` where a part of it was wrong and that has been told.
    fn cadence(&self) -> Result<Option<String>> {
        match (&self.expression, &self.every) {
            (Some(expression), None) => cron(expression).map(Some),
            (None, Some(every)) => match &self.zone {
                Some(zone) => wrong(zone, "`every` counts seconds, and knows no time zone: leave `tz` out"),
                None => Ok(Some(format!("every {}", every.value()))),
            },
            (Some(_), Some(every)) => wrong(every, "an expression and `every` can't both be: keep one of them"),
            (None, None) if self.wrong => Ok(None),
            (None, None) => Err(syn::Error::new(
                proc_macro2::Span::call_site(),
                "expected a cron expression first, or `every = \"90s\"`: write `#[pgq::schedule(\"*/5 * * * *\")]`",
            )),
        }
    }
}

/// Whether an expression comes next, and not an option: one in quotes, or what somebody thinks to be one.
fn is_expression(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let Ok(name) = ahead.call(Ident::parse_any) else { return input.peek(Lit) };
    let name = name.to_string();
    let is_option = [OWN, KNOWN, PLANNED].iter().any(|known| known.contains(&name.as_str()));
    let alone = ahead.is_empty() || ahead.peek(Token![,]);
    (alone && !is_option) || ahead.peek(Token![::]) || ahead.peek(Token![!])
}

fn cron(expression: &LitStr) -> Result<String> {
    let text = expression.value();
    if let Some(span) = meant_span(&text) {
        return wrong(expression, format!("expected a cron expression, got {text:?}: write `every = \"{span}\"`"));
    }
    match Cadence::cron(&text, "UTC") {
        Ok(_) => Ok(text),
        Err(error) => wrong(expression, error),
    }
}

/// A text that the parser of the runtime takes.
fn checked<T>(
    expr: &syn::Expr,
    parse: impl Fn(&str) -> std::result::Result<T, pgq_core::schedule::ScheduleError>,
) -> Result<LitStr> {
    let text = value::text(expr)?;
    match parse(&text.value()) {
        Ok(_) => Ok(text),
        Err(error) => wrong(&text, error),
    }
}
