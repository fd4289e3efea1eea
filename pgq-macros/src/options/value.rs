//! The values of options, read by the parsers that the runtime uses, with errors on the literal.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use pgq_core::literal;
use proc_macro2::Ident;
use syn::{Expr, ExprLit, ExprUnary, Lit, LitStr, Path, Result, UnOp};

use crate::errors::{shown, wrong};

/// The expression without the invisible group that a `macro_rules!` fragment stands in.
pub(crate) fn peel(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => peel(&group.expr),
        _ => expr,
    }
}

/// The one word that the expression is, if it is one.
pub(crate) fn word(expr: &Expr) -> Option<&Ident> {
    match peel(expr) {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}

pub(crate) fn is_none(expr: &Expr) -> bool {
    word(expr).is_some_and(|word| word == "none")
}

/// The one way to say that a value isn't what it should be.
pub(crate) fn unexpected<T>(expected: impl Display, got: &Expr) -> Result<T> {
    wrong(got, format!("expected {expected}, got `{}`", shown(got)))
}

fn literal_of(expr: &Expr) -> Option<&Lit> {
    match peel(expr) {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        _ => None,
    }
}

/// A string literal.
pub(crate) fn text(expr: &Expr) -> Result<LitStr> {
    match literal_of(expr) {
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => unexpected("a string literal", expr),
    }
}

/// The name of a task or a queue.
pub(crate) fn name(expr: &Expr) -> Result<LitStr> {
    let Some(Lit::Str(text)) = literal_of(expr) else {
        return unexpected("a string literal", expr);
    };
    match literal::name(&text.value()) {
        Ok(_) => Ok(text.clone()),
        Err(error) => wrong(text, error),
    }
}

/// `["one", "two"]`
pub(crate) fn names(expr: &Expr) -> Result<Vec<LitStr>> {
    match peel(expr) {
        Expr::Array(array) => array.elems.iter().map(name).collect(),
        _ => unexpected("a list such as `[\"old_name\"]`", expr),
    }
}

/// `"1h30m"`
pub(crate) fn span(expr: &Expr) -> Result<Duration> {
    match literal_of(expr) {
        Some(Lit::Str(text)) => literal::duration(&text.value()).or_else(|error| wrong(text, error)),
        Some(number @ (Lit::Int(_) | Lit::Float(_))) => {
            let number = shown(number);
            wrong(expr, format!("expected a span with a unit, got `{number}`: write \"{number}s\" for seconds"))
        }
        _ => unexpected("a span such as \"30s\", as a literal", expr),
    }
}

/// A span that isn't zero.
pub(crate) fn positive_span(expr: &Expr) -> Result<Duration> {
    match span(expr)? {
        Duration::ZERO => unexpected("a span of more than zero", expr),
        span => Ok(span),
    }
}

/// A whole number within `range`.
pub(crate) fn number<T: TryFrom<i64> + PartialOrd + Display>(expr: &Expr, range: &RangeInclusive<T>) -> Result<T> {
    let number = whole(expr).and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
    let expected = || format!("a number from {} to {}", range.start(), range.end());
    number.map_or_else(|| unexpected(expected(), expr), Ok)
}

fn whole(expr: &Expr) -> Option<i64> {
    match peel(expr) {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => whole(expr)?.checked_neg(),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}

/// How many attempts there are in total.
pub(crate) fn attempts(expr: &Expr) -> Result<u16> {
    number(expr, &(1..=32_767))
}

/// By how much a delay grows.
pub(crate) fn factor(expr: &Expr) -> Result<f64> {
    let factor = finite(expr).filter(|factor| *factor >= 1.0);
    factor.map_or_else(|| unexpected("a number of at least 1", expr), Ok)
}

/// How many in some span.
pub(crate) fn positive(expr: &Expr) -> Result<f64> {
    let count = finite(expr).filter(|count| *count > 0.0);
    count.map_or_else(|| unexpected("a number of more than zero, such as `10` or `0.5`", expr), Ok)
}

/// A literal, whole or not.
fn finite(expr: &Expr) -> Option<f64> {
    let number: f64 = match literal_of(expr)? {
        Lit::Float(number) => number.base10_parse().ok()?,
        Lit::Int(number) => number.base10_parse().ok()?,
        _ => return None,
    };
    Some(number).filter(|number| number.is_finite())
}

pub(crate) fn flag(expr: &Expr) -> Result<bool> {
    match literal_of(expr) {
        Some(Lit::Bool(flag)) => Ok(flag.value),
        _ => unexpected("`true` or `false`", expr),
    }
}

pub(crate) fn path(expr: &Expr) -> Result<Path> {
    path_or(expr, "the path of pgq without quotes, such as `crate = my::pgq`")
}

/// A path, or what was expected instead.
pub(crate) fn path_or(expr: &Expr, expected: &str) -> Result<Path> {
    match peel(expr) {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => unexpected(expected, expr),
    }
}

/// `breaker`, or `[metered, breaker]`
pub(crate) fn layers(expr: &Expr) -> Result<Vec<Path>> {
    let layer = |expr| path_or(expr, "the path of a layer without quotes, such as `layer = breaker`");
    match peel(expr) {
        Expr::Array(array) if !array.elems.is_empty() => array.elems.iter().map(layer).collect(),
        _ => layer(expr).map(|path| vec![path]),
    }
}
