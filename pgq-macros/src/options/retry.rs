//! `retry = exponential("1s", factor = 2.0, max = "10m")`, and its sisters.

use std::time::Duration;

use proc_macro2::Ident;
use syn::{Expr, ExprCall, Result};

use super::entry::{Arguments, unknown};
use super::value;
use crate::errors::wrong;

/// How long a failed job waits, as [`pgq_core::Retry`] has it, which can't hold delays that aren't `'static`.
#[derive(Debug, PartialEq)]
pub(crate) enum Policy {
    Exponential { base: Duration, factor: f64, max: Duration, jitter: bool },
    Linear { step: Duration, max: Duration },
    Fixed(Duration),
    Delays(Vec<Duration>),
}

/// What `retry` says: a policy, unless it is `none`, and perhaps how many attempts there are.
pub(crate) struct Retry {
    pub(crate) policy: Option<Policy>,
    pub(crate) attempts: Option<(Ident, u16)>,
}

/// What isn't said, as in [`pgq_core::Retry::DEFAULT`]; a test holds the two together.
const FACTOR: f64 = 2.0;
const MAX: Duration = Duration::from_hours(1);
const JITTER: bool = true;

const POLICIES: &[&str] = &["exponential", "linear", "fixed", "delays", "none"];
const EXPECTED: &str = "`exponential(\"1s\")`, `linear(\"10s\")`, `fixed(\"30s\")`, `delays(\"1s\", \"1m\")` or `none`";

impl Retry {
    pub(crate) fn read(expr: &Expr) -> Result<Self> {
        if let Some(none) = value::word(expr).filter(|_| value::is_none(expr)) {
            return Ok(Self { policy: None, attempts: Some((none.clone(), 1)) });
        }
        let Expr::Call(call) = value::peel(expr) else {
            return value::unexpected(EXPECTED, expr);
        };
        let policy = value::word(&call.func).map(ToString::to_string).unwrap_or_default();
        match policy.as_str() {
            "exponential" => Self::of(call, &["factor", "max", "jitter", "attempts"], exponential),
            "linear" => Self::of(call, &["max", "attempts"], linear),
            "fixed" => Self::of(call, &["attempts"], fixed),
            "delays" => Self::of(call, &["attempts"], delays),
            _ => wrong(&call.func, unknown("retry policy", &call.func, POLICIES)),
        }
    }

    fn of(call: &ExprCall, known: &[&str], policy: fn(&ExprCall, &Arguments) -> Result<Policy>) -> Result<Self> {
        let arguments = Arguments::of(&call.args, known)?;
        let attempts = arguments.read("attempts", value::attempts)?;
        let name = arguments.named("attempts").map(|(name, _)| name.clone());
        Ok(Self { policy: Some(policy(call, &arguments)?), attempts: name.zip(attempts) })
    }
}

fn exponential(call: &ExprCall, arguments: &Arguments) -> Result<Policy> {
    Ok(Policy::Exponential {
        base: first(call, arguments)?,
        factor: arguments.read("factor", value::factor)?.unwrap_or(FACTOR),
        max: max(call, arguments)?,
        jitter: arguments.read("jitter", value::flag)?.unwrap_or(JITTER),
    })
}

fn linear(call: &ExprCall, arguments: &Arguments) -> Result<Policy> {
    Ok(Policy::Linear { step: first(call, arguments)?, max: max(call, arguments)? })
}

fn fixed(call: &ExprCall, arguments: &Arguments) -> Result<Policy> {
    first(call, arguments).map(Policy::Fixed)
}

fn delays(call: &ExprCall, arguments: &Arguments) -> Result<Policy> {
    let delays = arguments.plain.iter().map(value::span).collect::<Result<Vec<_>>>()?;
    if delays.is_empty() {
        return wrong(call, "expected at least one delay, such as `delays(\"1s\", \"1m\", \"5m\")`");
    }
    Ok(Policy::Delays(delays))
}

/// The one argument without a name: the first delay.
fn first(call: &ExprCall, arguments: &Arguments) -> Result<Duration> {
    match &*arguments.plain {
        [delay] => value::span(delay),
        [] => wrong(call, "expected the first delay, such as \"30s\", as the first argument"),
        [_, second, ..] => {
            wrong(second, "expected one delay: write `delays(…)` for a list, or a name before the value")
        }
    }
}

/// The longest delay. One below the first would silently make every delay the same.
fn max(call: &ExprCall, arguments: &Arguments) -> Result<Duration> {
    let (first, max) = (first(call, arguments)?, arguments.read("max", value::span)?);
    match max {
        None if first > MAX => wrong(
            &arguments.plain[0],
            "expected a first delay of at most \"1h\", which is the default of `max`: give a `max` too",
        ),
        Some(max) if max < first => {
            let max = arguments.named("max").map(|(_, expr)| expr);
            wrong(max, "expected a `max` of at least the first delay")
        }
        max => Ok(max.unwrap_or(MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_in_the_default_policy() {
        let expected =
            pgq_core::Retry::Exponential { base: Duration::from_secs(1), factor: FACTOR, max: MAX, jitter: JITTER };
        assert_eq!(pgq_core::Retry::DEFAULT, expected);
    }
}
