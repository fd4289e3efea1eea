//! Layers: code of one's own around every attempt.

use std::future::Future;
use std::sync::Arc;

use pgq_core::Outcome;

use super::registry::{BoundTask, Run};
use super::{Attempt, Context};

/// Code around every attempt of a worker: an `async fn(Context, Next) -> Outcome`, or a closure with these types.
///
/// It runs the rest by [`next.run().await`](Next::run) and sees its outcome, or answers in its place: a
/// [`Control`](crate::Control) becomes an outcome by `into`. It is a part of the attempt: it counts towards its timeout, and
/// a panic of it is a failure of this attempt alone. Where an attempt is dropped, because its time or its worker is over,
/// its layers are dropped with it and see no outcome.
///
/// A circuit breaker, which snoozes jobs for half a minute after one has failed:
///
/// ```
/// use std::sync::{Arc, Mutex, PoisonError};
/// use std::time::{Duration, Instant};
///
/// use pgq::{Context, Next, Outcome};
///
/// # #[pgq::task]
/// # async fn charge(order: u64) -> Result<(), pgq::BoxError> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
/// # let client = pgq::Client::memory();
/// const PAUSE: Duration = Duration::from_secs(30);
/// let opened = Arc::new(Mutex::new(None::<Instant>));
/// let breaker = move |_: Context, next: Next| {
///     let opened = Arc::clone(&opened);
///     async move {
///         let since = *opened.lock().unwrap_or_else(PoisonError::into_inner);
///         if since.is_some_and(|since| since.elapsed() < PAUSE) {
///             return pgq::snooze(PAUSE).into();
///         }
///         let outcome = next.run().await;
///         let failed = matches!(outcome, Outcome::Failed(_));
///         *opened.lock().unwrap_or_else(PoisonError::into_inner) = failed.then(Instant::now);
///         outcome
///     }
/// };
/// let builder = pgq::Worker::<()>::builder().client(client).tasks(pgq::tasks![charge]);
/// let worker = builder.layer(breaker).spawn().await?;
/// # worker.stop().await
/// # }
/// ```
pub trait Layer: Send + Sync + 'static {
    /// Runs one attempt, or what it puts in its place.
    fn run(&self, context: Context, next: Next) -> Run;
}

impl<F, O> Layer for F
where
    F: Fn(Context, Next) -> O + Send + Sync + 'static,
    O: Future<Output = Outcome> + Send + 'static,
{
    fn run(&self, context: Context, next: Next) -> Run {
        Box::pin(self(context, next))
    }
}

/// The layers of a worker, the outermost first.
pub(crate) type Layers = Arc<[Arc<dyn Layer>]>;

/// The rest of an attempt: the layers further in, and the handler.
#[must_use = "the handler runs only when this does"]
pub struct Next {
    layers: Layers,
    passed: usize,
    task: BoundTask,
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
        let Some(layer) = self.layers.get(self.passed).cloned() else {
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

/// Runs an attempt of a task within layers.
pub(crate) fn run_within(
    layers: &Layers,
    task: &BoundTask,
    attempt: Arc<Attempt>,
    codec: i16,
    payload: Vec<u8>,
) -> Run {
    if layers.is_empty() {
        return task.runnable.run(attempt, codec, &payload);
    }
    Next { layers: Arc::clone(layers), passed: 0, task: task.clone(), attempt, codec, payload }.begin()
}
