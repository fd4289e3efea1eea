//! What holds for whoever uses pgq, tested through its public API.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod conformance;
mod world;
