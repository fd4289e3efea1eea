//! What the macros generate. Every path is absolute and every local name out of the user's reach, so that nothing of the
//! user's can be meant by accident: see the tests in `tests/macros/hygiene.rs`.

mod payload;
mod provide;
mod task;
mod tasks;

pub(crate) use payload::payload;
pub(crate) use provide::provide;
pub(crate) use task::{schedule, task};
pub(crate) use tasks::tasks;
