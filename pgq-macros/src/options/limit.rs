//! `concurrency = 5`, `rps = 100, burst = 10, per = "1m"`, `per_worker = 2`, `limit(concurrency = 2, key = "tenant")`.

use std::time::Duration;

use pgq_core::Rate;
use pgq_core::limit::MAX_UNITS;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, ExprLit, Lit, LitStr, Path, Result};

use super::entry::{Arguments, Entry, Value};
use super::value;
use crate::errors::{shown, wrong};

/// How many attempts run at once, and start in how long.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) concurrency: Option<u32>,
    pub(crate) rate: Option<Rate>,
    pub(crate) per_worker: Option<u32>,
    /// Those with a name or a key of their own.
    pub(crate) others: Vec<Limit>,
    /// `rps`, `burst` and `per`, which mean something together.
    pace: Arguments,
}

/// What `limit(…)` says.
pub(crate) struct Limit {
    pub(crate) name: Option<LitStr>,
    pub(crate) key: Option<LimitKey>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) rate: Option<Rate>,
}

/// What a limit is counted by.
pub(crate) enum LimitKey {
    Field(LitStr),
    Function(Path),
}

/// The options that are read here.
pub(super) const OWN: &[&str] = &["concurrency", "rps", "burst", "per", "per_worker", "limit"];

const ARGUMENTS: &[&str] = &["concurrency", "rps", "burst", "per", "key", "name"];
/// What some look for by another word.
pub(super) const SERIAL: &str = "unknown option `serial`: write `concurrency = 1` for one job of the task at a time, or \
                                 `limit(concurrency = 1, key = …)` for one of each value";
const EXAMPLE: &str = "`limit(concurrency = 2, key = \"tenant\")` or `limit(rps = 20, name = \"stripe\")`";

impl Limits {
    pub(super) fn set(&mut self, entry: &Entry) -> Result<()> {
        match entry.name.to_string().as_str() {
            "concurrency" => self.concurrency = Some(units(entry.is("concurrency = 5")?)?),
            "per_worker" => self.per_worker = Some(units(entry.is("per_worker = 2")?)?),
            "rps" => self.pace.push(&entry.name, entry.is("rps = 10")?),
            "burst" => self.pace.push(&entry.name, entry.is("burst = 10")?),
            "per" => self.pace.push(&entry.name, entry.is("per = \"1m\"")?),
            _ => {
                let limit = Limit::read(entry)?;
                if self.others.iter().any(|other| other.is_named_as(&limit)) {
                    return wrong(&entry.name, "the task has a limit of this name and key: put the bounds into one");
                }
                self.others.push(limit);
            }
        }
        Ok(())
    }

    /// When all options are read.
    pub(super) fn end(&mut self) -> Result<()> {
        self.rate = rate(&self.pace)?;
        Ok(())
    }
}

impl Limit {
    fn read(entry: &Entry) -> Result<Self> {
        let Value::List(exprs) = &entry.value else {
            return wrong(&entry.name, format!("expected {EXAMPLE}"));
        };
        if let Some(stray) = exprs.iter().find(|expr| is_per_worker(expr)) {
            return wrong(stray, "a limit holds over all workers: write `per_worker` on the task, beside `limit(…)`");
        }
        let arguments = Arguments::of(exprs, ARGUMENTS)?;
        if let Some(plain) = arguments.plain.first() {
            return value::unexpected("a name before the value, such as `concurrency = 2`", plain);
        }
        let limit = Self {
            name: arguments.read("name", value::name)?,
            key: arguments.read("key", key)?,
            concurrency: arguments.read("concurrency", units)?,
            rate: rate(&arguments)?,
        };
        if limit.concurrency.is_none() && limit.rate.is_none() {
            return wrong(&entry.name, format!("expected `concurrency` or `rps` in a limit: write {EXAMPLE}"));
        }
        if limit.name.is_none() && limit.key.is_none() {
            let own = if limit.rate.is_some() { "rps" } else { "concurrency" };
            let message =
                format!("expected a `key` or a `name`: for all jobs of the task write `{own} = …` in its place");
            return wrong(&entry.name, message);
        }
        Ok(limit)
    }

    fn is_named_as(&self, other: &Self) -> bool {
        let names = |limit: &Self| (limit.name.as_ref().map(LitStr::value), limit.key.as_ref().map(LimitKey::name));
        names(self) == names(other)
    }
}

impl LimitKey {
    /// What it is called: the field's name, or the function's without its path.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Field(field) => field.value(),
            Self::Function(path) => path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default(),
        }
    }
}

impl ToTokens for LimitKey {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Field(field) => field.to_tokens(tokens),
            Self::Function(path) => path.to_tokens(tokens),
        }
    }
}

fn is_per_worker(expr: &Expr) -> bool {
    matches!(expr, Expr::Assign(assign) if value::word(&assign.left).is_some_and(|name| name == "per_worker"))
}

fn units(expr: &Expr) -> Result<u32> {
    value::number(expr, &(1..=MAX_UNITS))
}

fn rate(arguments: &Arguments) -> Result<Option<Rate>> {
    const SECOND: Duration = Duration::from_secs(1);
    let Some((_, rps)) = arguments.named("rps") else {
        return match arguments.named("burst").or_else(|| arguments.named("per")) {
            Some((stray, _)) => wrong(stray, format!("`{stray}` says more of a rate: add `rps = …`")),
            None => Ok(None),
        };
    };
    let count = value::positive(rps)?;
    let span = arguments.read("per", value::positive_span)?;
    let burst = arguments.read("burst", units)?;
    match (Rate::new(count, span.unwrap_or(SECOND)), burst) {
        (Some(rate), Some(burst)) => Ok(rate.with_burst(burst)),
        (Some(rate), None) => Ok(Some(rate)),
        (None, _) => value::unexpected("a rate from one start in 366 days to one in a microsecond", rps),
    }
}

fn key(expr: &Expr) -> Result<LimitKey> {
    match value::peel(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(field), .. }) => match field.value() {
            name if name.is_empty() || name.contains(['\0', '[', ']', '=']) => {
                wrong(field, format!("expected the name of an argument, got `{}`", shown(field)))
            }
            _ => Ok(LimitKey::Field(field.clone())),
        },
        Expr::Path(path) if path.qself.is_none() => Ok(LimitKey::Function(path.path.clone())),
        _ => value::unexpected(
            "an argument such as `\"tenant\"`, or a function of the arguments such as `tenant_of`",
            expr,
        ),
    }
}
