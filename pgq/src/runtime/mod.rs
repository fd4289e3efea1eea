//! The runtime: services that take turns, and the worker that they make up.
//!
//! ```text
//! heartbeat ──notice──▶ claimer ──jobs──▶ executor ──outcomes──▶ completer
//!     ▲                   ▲                                         │
//!   renew              promoter, rescuer (what is due, what was lost)▼
//!  ───────────────────────────── session of the backend ───────────────
//! ```
//!
//! Each service is an `async fn turn` that does one bounded thing and says when it wants to be called again; one loop
//! ([`service::drive`]) calls it, and a test calls the same turns one by one.

mod at_work;
mod banner;
mod builder;
mod claimer;
mod completer;
mod discards;
mod doorkeeper;
mod drainer;
mod engine;
mod executor;
mod fields;
mod flag;
mod flags;
mod guard;
mod handed;
mod heartbeat;
mod held;
mod lapses;
mod limits;
mod lookout;
mod maintenance;
mod negotiator;
mod outage;
mod outline;
mod pace;
mod patience;
mod plan;
mod pool;
mod registration;
mod run;
mod service;
mod shutdown;
mod slots;
mod stepper;
mod teller;
mod tenure;
mod ticker;
mod variables;
mod worker;
mod write;

pub use builder::WorkerBuilder;
pub use run::{run, run_with};
pub use shutdown::Stopper;
pub use stepper::Stepper;
pub use worker::Worker;
