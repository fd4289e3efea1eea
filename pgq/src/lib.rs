#![doc = include_str!("front.md")]

pub mod backend;
mod client;
mod control;
mod error;
mod platform;
mod runtime;
mod task;
pub mod testing;

pub use backend::postgres::TxConnection;
pub use backend::{
    Cancellation, Deletion, Discarded, Edited, JobInfo, LimitInfo, LimitShare, LimitWait, Measure, Migrated, Pausable,
    Pause, Progress, Retrial, RunningJob, WaitsFor,
};
pub use client::{
    Allow, AnyJob, AnyTask, Bulk, Client, ClientBuilder, Count, DeclaredTask, Edit, Enqueue, EnqueueMany, Handle,
    JobBuilder, Jobs, LimitRef, On, Outgoing, Page, ScheduleBuilder, ScheduleInfo, Target, Tx, enqueue_many,
    set_namespace, set_poll_only,
};
pub use control::{cancel, discard, retry_in, snooze};
pub use error::{BoxError, Error, Result};
pub use pgq_core::options::Keep;
pub use pgq_core::{
    Bounds, Cadence, Control, Failure, FailureKind, Headers, JobId, Limit, LimitKey, Missed, OnConflict, Outcome,
    Overlap, Placement, Priority, Rate, Retry, Schedule, State, TaskOptions, Tick, Timestamp, UniqueBy, UniqueKey,
};
pub use pgq_macros::{Provide, payload, schedule, task};
pub use runtime::{Stopper, Worker, WorkerBuilder, run, run_with};
pub use sqlx;
pub use task::{Context, Env, Layer, Next, Payload, Provide, Provider, Provision, Resources, Run, Task, Tasks};
pub use tokio_util::sync::CancellationToken;

/// What the macros write paths to; not for anybody else.
#[doc(hidden)]
pub mod __private {
    pub use std::sync::Arc;
    pub use std::time::Duration;

    pub use inventory;
    pub use pgq_macros::tasks;
    pub use schemars;
    pub use serde;
    pub use serde_json::Value;

    pub use crate::client::{enqueue_each as enqueue_many, enqueue_one as enqueue};
    pub use crate::task::{
        Described, HandlerError, LimitValue, Listed, Location, Nameless, Names, TaskEntry, TaskError, TaskResult,
        attempt, begin, blocking_attempt, distinct, judged_attempt, judged_blocking_attempt, layer, leave, limit_key,
        rate, schema_of,
    };
}

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So are the examples of the macro's document.
#[cfg(doctest)]
#[doc = include_str!("../../pgq-macros/src/schedule.md")]
struct Schedules;
