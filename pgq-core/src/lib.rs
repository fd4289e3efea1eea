//! The pure part of [pgq](https://docs.rs/pgq): what a job is, which states it may take, what follows from an outcome,
//! and the parsers of the literals that the macros check at compile time and the runtime uses.
//!
//! Nothing here waits, reads a clock, draws a random number or knows a database: time and randomness are passed in, so
//! that every decision can be tested as a table. Depend on `pgq`, not on this crate: its surface follows pgq's needs.

pub mod control;
pub mod crash;
pub mod failure;
pub mod filter;
pub mod job;
pub mod lease;
pub mod limit;
pub mod literal;
pub mod options;
pub mod outcome;
pub mod retry;
pub mod schedule;
pub mod state;
pub mod suggest;
pub mod time;
pub mod unique;

pub use control::Control;
pub use failure::{Failure, FailureKind};
pub use filter::{Candidate, Filter};
pub use job::{Claimed, Codec, Headers, JobId, NewJob, Priority, When};
pub use lease::Lease;
pub use limit::{Bounds, Limit, LimitKey, Rate};
pub use options::TaskOptions;
pub use outcome::{Outcome, Standing, Transition, decide};
pub use retry::Retry;
pub use schedule::{Cadence, Missed, Overlap, Schedule, Tick};
pub use state::{Event, State};
pub use time::Timestamp;
pub use unique::{OnConflict, Placement, Unique, UniqueBy, UniqueKey};
