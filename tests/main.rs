//! What holds for whoever uses pgq, tested through its public API.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]
#![expect(clippy::unchecked_time_subtraction, reason = "constants")]

mod chance;
mod conformance;
#[path = "chaos/evidence.rs"]
mod evidence;
mod limits;
mod log;
mod macros;
#[cfg(feature = "pooler")]
mod pooler;
mod postgres;
mod program;
mod promises;
mod proxy;
mod quay;
mod swallow;
#[path = "chaos/tables.rs"]
mod tables;
mod worker;
mod world;
