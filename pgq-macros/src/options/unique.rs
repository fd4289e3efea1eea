//! `unique = "key"`, `unique = ["user", "day"]`, `unique(by = ["user"], on_conflict = skip, for = "1h")`.

use std::time::Duration;

use pgq_core::OnConflict;
use syn::{Expr, ExprLit, Lit, LitStr, Result};

use super::entry::{Arguments, Entry, Value, unknown};
use super::value;
use crate::errors::wrong;

/// What `unique` says.
pub(crate) struct Unique {
    pub(crate) key: Key,
    pub(crate) on_conflict: OnConflict,
    pub(crate) window: Duration,
}

/// Where the unique key comes from.
pub(crate) enum Key {
    Same(LitStr),
    Fields(Vec<LitStr>),
}

const EXAMPLE: &str =
    "`unique = [\"user\"]`, `unique = \"key\"` or `unique(by = [\"user\"], on_conflict = skip, for = \"1h\")`";

pub(crate) fn read(entry: &Entry) -> Result<Unique> {
    match &entry.value {
        Value::Is(expr) => Ok(Unique { key: key(expr)?, on_conflict: OnConflict::Reject, window: Duration::ZERO }),
        Value::List(exprs) => {
            let arguments = Arguments::of(exprs, &["by", "on_conflict", "for"])?;
            let Some(key) = arguments.read("by", key)? else {
                return wrong(&entry.name, format!("expected {EXAMPLE}"));
            };
            let on_conflict = arguments.read("on_conflict", on_conflict)?.unwrap_or_default();
            let window = arguments.read("for", value::positive_span)?.unwrap_or_default();
            Ok(Unique { key, on_conflict, window })
        }
        Value::Absent => wrong(&entry.name, format!("expected {EXAMPLE}")),
    }
}

fn key(expr: &Expr) -> Result<Key> {
    match value::peel(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !text.value().is_empty() => Ok(Key::Same(text.clone())),
        Expr::Array(array) if !array.elems.is_empty() => {
            array.elems.iter().map(field).collect::<Result<_>>().map(Key::Fields)
        }
        _ => value::unexpected(
            "a list of arguments such as `[\"user\"]`, or one key for all jobs such as `\"key\"`",
            expr,
        ),
    }
}

fn field(expr: &Expr) -> Result<LitStr> {
    match value::peel(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
        _ => value::unexpected("the name of an argument in quotes", expr),
    }
}

fn on_conflict(expr: &Expr) -> Result<OnConflict> {
    let word = value::word(expr).map(ToString::to_string).unwrap_or_default();
    match OnConflict::from_word(&word) {
        Some(on_conflict) => Ok(on_conflict),
        None => wrong(expr, unknown("way to meet a conflict", expr, &OnConflict::ALL.map(OnConflict::as_str))),
    }
}
