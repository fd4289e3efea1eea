//! `keep = "7d"`, `keep = none`, `keep(completed = "1d", discarded = "30d")`.

use std::time::Duration;

use pgq_core::options::Keep;
use syn::Result;

use super::entry::{Arguments, Entry, Value};
use super::value;

const EXAMPLE: &str =
    "`keep = \"7d\"`, `keep = none` or `keep(completed = \"1d\", cancelled = \"7d\", discarded = \"7d\")`";

pub(crate) fn read(entry: &Entry) -> Result<Keep> {
    match &entry.value {
        Value::Is(expr) if value::is_none(expr) => Ok(Keep::NONE),
        Value::Is(expr) => value::span(expr).map(all),
        Value::List(exprs) => {
            let arguments = Arguments::of(exprs, &["completed", "cancelled", "discarded"])?;
            match arguments.plain.first() {
                Some(plain) => value::unexpected("a name before the span, such as `completed = \"1d\"`", plain),
                None => each(&arguments),
            }
        }
        Value::Absent => crate::errors::wrong(&entry.name, format!("expected {EXAMPLE}")),
    }
}

fn all(span: Duration) -> Keep {
    Keep { completed: span, cancelled: span, discarded: span }
}

fn each(arguments: &Arguments) -> Result<Keep> {
    Ok(Keep {
        completed: arguments.read("completed", span)?.unwrap_or(Keep::DEFAULT.completed),
        cancelled: arguments.read("cancelled", span)?.unwrap_or(Keep::DEFAULT.cancelled),
        discarded: arguments.read("discarded", span)?.unwrap_or(Keep::DEFAULT.discarded),
    })
}

fn span(expr: &syn::Expr) -> Result<Duration> {
    if value::is_none(expr) { Ok(Duration::ZERO) } else { value::span(expr) }
}
