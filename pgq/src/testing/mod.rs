//! For tests: a clock that stands until it is moved, a worker whose turns are taken by hand, and a context without a
//! worker.
//!
//! ```
//! use std::time::Duration;
//! use pgq::testing::{ManualClock, stepper};
//!
//! #[pgq::task]
//! async fn remind(who: String) -> Result<(), pgq::BoxError> {
//!     println!("remember, {who}");
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
//! let clock = ManualClock::at(pgq::Timestamp::EPOCH);
//! let client = pgq::Client::builder()?.clock(clock.clone()).memory();
//! remind::job("kim".to_owned()).delay(Duration::from_secs(60)).enqueue(&client).await?;
//!
//! let mut worker = stepper::<()>(&client, pgq::tasks![remind], ()).await?;
//! assert_eq!(worker.drain().await?, 0);
//! clock.advance(Duration::from_secs(60));
//! assert_eq!(worker.drain().await?, 1);
//! # Ok(()) }
//! ```
//!
//! Schedules go by the same clock. [`Stepper::advance`] moves it by a long way and stops wherever a schedule ticks or a job is due,
//! as a worker would have. A clock that is moved past several ticks at once is a fleet that was away meanwhile:
//! [`#[pgq::schedule]`](macro@crate::schedule) says by `missed` what becomes of that.
//!
//! ```
//! # use std::time::Duration;
//! # use pgq::testing::{ManualClock, stepper};
//! #[pgq::schedule("0 9 * * *")]
//! async fn send_digest(ctx: pgq::Context) -> Result<(), pgq::BoxError> {
//!     println!("{:?}", ctx.tick());
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
//! let clock = ManualClock::at(pgq::Timestamp::EPOCH);
//! let client = pgq::Client::builder()?.clock(clock.clone()).memory();
//! let mut worker = stepper::<()>(&client, pgq::tasks![send_digest], ()).await?;
//! assert_eq!(worker.advance(Duration::from_hours(8)).await?, 0);
//! assert_eq!(worker.advance(Duration::from_hours(48)).await?, 2);
//! # Ok(()) }
//! ```

use std::sync::{Arc, Mutex};

use pgq_core::{Headers, JobId};
use tracing::Span;

use crate::platform::Clock;
use crate::task::{Attempt, Blocking, Own, Resources, Stint, Tasks, Token};
use crate::{Client, Context, Result, Worker};

pub use crate::platform::ManualClock;
pub use crate::runtime::Stepper;

/// A worker with 100 slots whose turns are taken by hand.
///
/// # Errors
/// As [`WorkerBuilder::spawn`](crate::WorkerBuilder::spawn).
pub async fn stepper<R: Resources>(client: &Client, tasks: Tasks<R>, resources: R) -> Result<Stepper> {
    let builder = Worker::builder().client(client.clone()).tasks(tasks).resources(resources);
    builder.slots(100).stepper().await
}

/// A context to call a task's function with: the first attempt of job 0, on a client in memory.
#[must_use]
pub fn context<R: Send + Sync + 'static>(resources: R) -> Context<R> {
    let attempt = Attempt {
        id: JobId(0),
        task: "test",
        queue: "default".to_owned(),
        epoch: 1,
        number: 1,
        max_attempts: 1,
        crashes: 0,
        headers: Headers::new(),
        tick: None,
        token: Token::default(),
        alone: Arc::default(),
        gauge: Arc::default(),
        client: Client::memory(),
        follow_ups: Arc::default(),
        kept: Arc::default(),
        blocking: Blocking::new(1, Clock::System, || {}),
        place: Mutex::default(),
        stint: Stint::default(),
        span: Span::none(),
    };
    Context::new(Arc::new(Own(resources)), Arc::new(attempt))
}
