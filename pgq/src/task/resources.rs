//! Resources: what handlers may touch, built once per worker and asked for by type.

use std::any::{Any, TypeId};
use std::future::Future;
use std::sync::Arc;

use sqlx::PgPool;

use super::Layer;
use crate::backend::Discarded;
use crate::{Client, Result};

/// What the handlers of a worker may touch: pools, clients, settings. Built once when the worker starts, before anything
/// is claimed, and closed when it has stopped.
///
/// ```
/// # struct Mailer;
/// #[derive(pgq::Provide)]
/// struct App {
///     mailer: Mailer,
/// }
///
/// impl pgq::Resources for App {
///     async fn init(_: &pgq::Env) -> pgq::Result<Self> {
///         Ok(App { mailer: Mailer })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't say how a worker builds it",
    label = "not `pgq::Resources`",
    note = "write `impl pgq::Resources for {Self}` with its `init`, and `#[derive(pgq::Provide)]` on it"
)]
pub trait Resources: Provider {
    /// Builds them. An error or a panic stops the worker before it claims anything; [`Error::init`](crate::Error::init) makes one
    /// of any error, and what else is returned becomes the cause of one, unless it says that the database is away or full. It is
    /// called again where the database said what passes by itself, as that it is full, and where a worker
    /// [restarts](crate::WorkerBuilder::restart) after any such error; never once it has succeeded.
    fn init(env: &Env) -> impl Future<Output = Result<Self>> + Send;

    /// Layers around every attempt of the worker, the outermost first; none unless said otherwise. What one task has of its
    /// own, `#[pgq::task(layer = …)]`, is within them.
    fn layers(self: &Arc<Self>) -> Vec<Arc<dyn Layer>> {
        Vec::new()
    }

    /// Takes note of a job that was given up: its attempts are used up, its deadline to begin is over, its handler gave it up,
    /// or its workers died with it. Told is what is written already, by the worker that wrote it, one job at a time; a panic
    /// or more than ten seconds end that one call. It is a notice and not a promise: where the process dies or the link breaks
    /// in between, or more than a thousand wait to be told, nobody is told of some. `client.jobs().state(State::Discarded)` finds them all.
    ///
    /// ```
    /// # #[derive(pgq::Provide)]
    /// # struct Pager;
    /// # impl Pager { async fn page(&self, text: &str) {} }
    /// # #[derive(pgq::Provide)]
    /// # struct App { pager: Pager }
    /// impl pgq::Resources for App {
    ///     async fn init(_: &pgq::Env) -> pgq::Result<Self> {
    ///         Ok(App { pager: Pager })
    ///     }
    ///
    ///     async fn on_discard(self: std::sync::Arc<Self>, job: pgq::Discarded) {
    ///         self.pager.page(&format!("{} {} is given up: {}", job.task, job.id, job.failure.message())).await;
    ///     }
    /// }
    /// ```
    fn on_discard(self: Arc<Self>, _job: Discarded) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Closes them, after the last handler has ended.
    fn close(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// For workers whose tasks ask for nothing.
impl Resources for () {
    async fn init(_: &Env) -> Result<Self> {
        Ok(())
    }
}

/// A type that has a `T` to lend. [`#[derive(Provide)]`](derive@crate::Provide) implements it for the type itself and
/// for the type of each field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `{T}` to give to a task",
    label = "a task here asks for `Context<{T}>`",
    note = "add a field of type `{T}` to `{Self}` and derive `pgq::Provide` for it"
)]
pub trait Provide<T: ?Sized> {
    /// Lends it.
    fn provide(&self) -> &T;
}

/// Something that has a `T`, shared between attempts. [`Provider`] asks for `Send` and `Sync`, once for a whole struct.
pub(crate) type Provides<T> = Arc<dyn Provide<T> + Send + Sync>;

impl Provide<()> for () {
    fn provide(&self) -> &() {
        self
    }
}

/// A type that knows all that it provides. `#[derive(pgq::Provide)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't say what it provides to tasks",
    label = "not `pgq::Provide`",
    note = "add `#[derive(pgq::Provide)]` to `{Self}`"
)]
pub trait Provider: Sized + Send + Sync + 'static {
    /// Everything that a task may ask for.
    fn provided() -> Vec<Provision<Self>>;
}

impl Provider for () {
    fn provided() -> Vec<Provision<Self>> {
        vec![Provision::of::<()>()]
    }
}

/// One thing that a `P` provides.
#[derive(Debug)]
pub struct Provision<P> {
    type_id: TypeId,
    type_name: &'static str,
    pub(super) share: Share<P>,
}

/// Makes a [`Provides<T>`] of an `Arc<P>`, boxed because `T` differs from one task to the next.
pub(super) type Share<P> = fn(&Arc<P>) -> Box<dyn Any + Send + Sync>;

impl<P: Provider> Provision<P> {
    /// That `P` provides a `T`.
    #[must_use]
    pub fn of<T: 'static>() -> Self
    where
        P: Provide<T>,
    {
        Self {
            type_id: TypeId::of::<T>(),
            type_name: std::any::type_name::<T>(),
            share: |provider| Box::new(Arc::clone(provider) as Provides<T>),
        }
    }

    pub(super) fn is(&self, type_id: TypeId) -> bool {
        self.type_id == type_id
    }

    pub(super) fn type_name(&self) -> &'static str {
        self.type_name
    }
}

/// What there is when resources are built.
#[derive(Clone, Debug)]
pub struct Env {
    client: Client,
}

impl Env {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client of the worker.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The handlers' own pool: the engine never takes a connection of it, and none of the engine's is lent. What SQL of your own
    /// needs where it leads to PgBouncer or the like, [`ClientBuilder::poll_only`](crate::ClientBuilder::poll_only) says.
    ///
    /// # Errors
    /// On the in-memory backend, which has no SQL: [`is_unsupported`](crate::Error::is_unsupported).
    pub fn pool(&self) -> Result<&PgPool> {
        self.client.pool()
    }
}
