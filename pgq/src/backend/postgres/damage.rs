//! What can't be read of a job's row, as another version wrote it or somebody changed it by hand. It is a matter of that job, and
//! must hold up nothing that is asked of others.

use std::error::Error as StdError;

use crate::error::{Error, Result};

/// Why the first of it can't be read.
#[derive(Debug, Default)]
pub(super) struct Damage(Option<String>);

impl Damage {
    /// Nothing in place of what can't be read of this column.
    pub(super) fn spare<T: Default>(&mut self, column: &str, read: Result<T>) -> T {
        read.unwrap_or_else(|error| {
            self.0.get_or_insert_with(|| format!("{column}: {}", cause(&error)));
            T::default()
        })
    }

    pub(super) fn told(self) -> Option<String> {
        self.0
    }
}

/// What the driver says is wrong with a value, without the number of its column.
fn cause(error: &Error) -> String {
    let source = error.source();
    source.and_then(StdError::source).or(source).map_or_else(|| error.to_string(), ToString::to_string)
}
