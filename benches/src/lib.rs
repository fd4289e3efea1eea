//! What every program that measures here stands on: a server with fresh databases, the arithmetic of rounds, the machine.
//!
//! There are no tasks in it: they would be registered in every program that depends on it.

pub mod cleanup;
pub mod counts;
pub mod database;
pub mod figures;
pub mod machine;
