//! What only PostgreSQL has: connections and transactions of the user's own, schemas, and the isolation of both.

mod beats;
mod cancelled;
mod claims;
mod clocks;
mod crash;
mod crowded;
mod damage;
mod evidence;
mod locks;
mod names;
mod namespace;
mod outage;
mod overtaken;
mod poison;
mod poll_only;
mod rights;
mod schema;
mod sight;
mod sweep;
mod targets;
mod ticks;
mod transactional;
mod unseen;
mod wakes;
mod witness;
mod words;
