//! Layers: code of one's own around every attempt.

use std::future::Future;
use std::sync::Arc;

use pgq_core::Outcome;

use super::registry::{BoundTask, Run};
use super::resources::Provides;
use super::{Attempt, Context};

/// Code around every attempt, of a worker ([`WorkerBuilder::layer`](crate::WorkerBuilder::layer),
/// [`Resources::layers`](crate::Resources::layers)) or of one task (`#[pgq::task(layer = path)]`): an
/// `async fn(Context<R>, Next) -> Outcome`, or a closure with these types. A task's has the task's `R`; a worker's has none,
/// since a worker runs tasks of many.
///
/// It runs the rest by [`next.run().await`](Next::run) and sees its outcome, or answers in its place: a
/// [`Control`](crate::Control) becomes an outcome by `into`. It is a part of the attempt: it counts towards its timeout, and
/// a panic of it is a failure of this attempt alone. Where an attempt is dropped, because its time or its worker is over,
/// its layers are dropped with it and see no outcome.
///
/// A circuit breaker for one task: after a failure its jobs are snoozed for half a minute, without the handler being run.
/// Snoozing gives the attempt back.
///
/// ```
/// use std::sync::{Mutex, PoisonError};
/// use std::time::{Duration, Instant};
///
/// use pgq::{Client, Context, Next, Outcome};
///
/// const PAUSE: Duration = Duration::from_secs(30);
///
/// #[derive(Default, pgq::Provide)]
/// struct Payments {
///     failed: Mutex<Option<Instant>>,
/// }
///
/// async fn breaker(ctx: Context<Payments>, next: Next) -> Outcome {
///     let failed = *ctx.failed.lock().unwrap_or_else(PoisonError::into_inner);
///     if failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
///         return pgq::snooze(PAUSE).into();
///     }
///     let outcome = next.run().await;
///     let failed = matches!(outcome, Outcome::Failed(_)).then(Instant::now);
///     *ctx.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
///     outcome
/// }
///
/// #[pgq::task(layer = breaker)]
/// async fn charge(_ctx: Context<Payments>, order: u64) -> Result<(), String> {
///     Err(format!("the bank doesn't answer about order {order}"))
/// }
///
/// # impl pgq::Resources for Payments {
/// #     async fn init(_: &pgq::Env) -> pgq::Result<Self> { Ok(Self::default()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
/// let client = Client::memory();
/// charge::enqueue_many(&client, [1, 2, 3]).await?;
/// pgq::testing::stepper(&client, pgq::tasks![charge], Payments::default()).await?.step().await?;
/// // The first has failed and will be tried again; the others wait, with all their attempts.
/// assert_eq!(client.jobs().state(pgq::State::Retryable).count().await?.jobs, 1);
/// assert_eq!(client.jobs().state(pgq::State::Scheduled).count().await?.jobs, 2);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "this is no layer for attempts with `Context<{R}>`",
    label = "expected an `async fn(Context<{R}>, Next) -> Outcome`"
)]
pub trait Layer<R: 'static = ()>: Send + Sync + 'static {
    /// Runs one attempt, or what it puts in its place.
    fn run(&self, context: Context<R>, next: Next) -> Run;
}

impl<F, O, R: 'static> Layer<R> for F
where
    F: Fn(Context<R>, Next) -> O + Send + Sync + 'static,
    O: Future<Output = Outcome> + Send + 'static,
{
    fn run(&self, context: Context<R>, next: Next) -> Run {
        Box::pin(self(context, next))
    }
}

/// The layers around a task, the outermost first: the worker's, and within them its own.
pub(crate) type Layers = Arc<[Arc<dyn Layer>]>;

/// A layer of one task, for `#[pgq::task]`.
pub fn layer<R: 'static>(layer: impl Layer<R>) -> Arc<dyn Layer<R>> {
    Arc::new(layer)
}

/// A layer of a task, with the task's resources.
pub(super) struct Equipped<R: 'static> {
    pub(super) layer: Arc<dyn Layer<R>>,
    pub(super) resources: Provides<R>,
}

impl<R: 'static> Layer for Equipped<R> {
    fn run(&self, context: Context, next: Next) -> Run {
        self.layer.run(context.with(Arc::clone(&self.resources)), next)
    }
}

/// The rest of an attempt: the layers further in, and the handler.
#[must_use = "the handler runs only when this does"]
pub struct Next {
    passed: usize,
    task: Arc<BoundTask>,
    attempt: Arc<Attempt>,
    codec: i16,
    payload: Vec<u8>,
}

impl Next {
    /// Runs it to its outcome. Dropped instead, the handler never runs.
    pub async fn run(self) -> Outcome {
        self.begin().await
    }

    fn begin(mut self) -> Run {
        let Some(layer) = self.task.layers.get(self.passed).cloned() else {
            return self.task.runnable.run(self.attempt, self.codec, &self.payload);
        };
        self.passed += 1;
        let context = Context::new(Arc::new(()), Arc::clone(&self.attempt));
        layer.run(context, self)
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").field("task", &self.task.entry).finish_non_exhaustive()
    }
}

/// Runs an attempt of a task within its layers.
pub(crate) fn run_within(task: &Arc<BoundTask>, attempt: Arc<Attempt>, codec: i16, payload: Vec<u8>) -> Run {
    if task.layers.is_empty() {
        return task.runnable.run(attempt, codec, &payload);
    }
    Next { passed: 0, task: Arc::clone(task), attempt, codec, payload }.begin()
}
