//! An error that a server has said, without a server.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use pgq::sqlx::error::{DatabaseError, ErrorKind};

/// By its code.
#[derive(Debug)]
pub(super) struct Said(pub(super) &'static str);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server said {}", self.0)
    }
}

impl Error for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        self.0
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl From<Said> for pgq::Error {
    fn from(said: Said) -> Self {
        pgq::sqlx::Error::Database(Box::new(said)).into()
    }
}
