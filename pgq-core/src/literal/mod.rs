//! The literals of options, flags and environment, parsed here for macro and runtime alike: what compiles is what runs.

mod duration;
mod name;

use std::error::Error;
use std::fmt;

pub use duration::{MAX_SPAN, duration};
pub use name::{MAX_NAME, identifier, name};

/// Why a literal can't be read: what was expected and what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiteralError {
    expected: String,
    got: String,
}

impl LiteralError {
    fn new(expected: impl Into<String>, got: impl fmt::Debug) -> Self {
        Self { expected: expected.into(), got: format!("{got:?}") }
    }
}

impl fmt::Display for LiteralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}

impl Error for LiteralError {}
