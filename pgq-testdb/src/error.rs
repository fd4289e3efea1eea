//! The one error: what went wrong, in a sentence that says what to do.

use std::{error, fmt, sync::Arc};

/// Why there is no server or no database.
///
/// Its `Display` is meant for whoever runs the tests; [`source`](error::Error::source) has the cause where there is one.
#[derive(Clone)]
pub struct Error {
    message: String,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// The same with what else would do.
    pub(crate) fn or(self, way: &str) -> Self {
        Self { message: format!("{}; or {way}", self.message), ..self }
    }

    /// `message: source`, because test harnesses print an error without its sources.
    pub(crate) fn because(message: impl fmt::Display, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        let source = Arc::from(source.into());
        Self { message: format!("{message}: {source}"), source: Some(source) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// As `Display`: `unwrap()` and `fn test() -> Result<…>` print this one.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
