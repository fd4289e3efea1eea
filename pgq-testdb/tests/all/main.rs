//! What pgq-testdb promises, one file a promise.

mod child;
mod database;
#[cfg(feature = "docker")]
mod docker;
mod external;
mod leftovers;
mod missing;
mod server;
mod template;

/// `?` in tests.
type Outcome = Result<(), Box<dyn std::error::Error>>;
