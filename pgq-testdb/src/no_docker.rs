//! The way through Docker, built without the feature `docker`: it leads nowhere.

use crate::Error;

/// There is none.
pub(crate) enum Container {}

impl Container {
    pub(crate) fn start() -> Result<Self, Error> {
        Err(Error::new("pgq-testdb was built without its feature `docker`"))
    }

    pub(crate) fn url(&self) -> &str {
        match *self {}
    }
}
