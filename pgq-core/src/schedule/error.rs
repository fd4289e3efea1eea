//! What is wrong with an expression, and where.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// Why an expression can't be a schedule: what was expected, what was there and where that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleError {
    message: String,
    text: String,
    at: Range<usize>,
}

impl ScheduleError {
    /// Of a part of `text`, by its bytes.
    pub(super) fn at(message: impl Into<String>, text: &str, at: Range<usize>) -> Self {
        Self { message: message.into(), text: text.to_owned(), at }
    }

    /// Of all of it.
    pub(super) fn whole(message: impl Into<String>, text: &str) -> Self {
        Self::at(message, text, 0..text.len())
    }

    /// Where the offending part stands, in bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.at.clone()
    }
}

/// The message, and below it the expression with carets under the part. What doesn't fit a line is told without.
impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let drawable =
            (1..=120).contains(&self.text.len()) && self.text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        if drawable && self.at != (0..self.text.len()) {
            let carets = "^".repeat(self.at.len().max(1));
            write!(f, "\n  {}\n  {:2$}{carets}", self.text, "", self.at.start)?;
        }
        Ok(())
    }
}

impl Error for ScheduleError {}
