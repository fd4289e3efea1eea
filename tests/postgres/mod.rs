//! What only PostgreSQL has: connections and transactions of the user's own, schemas, and the isolation of both.

mod claims;
mod namespace;
mod schema;
mod targets;
