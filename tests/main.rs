//! What holds for whoever uses pgq, tested through its public API.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]
#![expect(clippy::unchecked_time_subtraction, reason = "constants")]
#![expect(
    clippy::unused_async,
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value,
    reason = "tasks have their shape also where they do little"
)]

mod conformance;
mod postgres;
mod program;
mod worker;
mod world;
