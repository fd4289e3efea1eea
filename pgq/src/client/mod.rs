//! The client: the handle on a place that keeps jobs. Producers enqueue through it, operators look and act through it.

mod arguments;
mod declared;
mod edit;
mod enqueue;
mod job;
mod jobs;
mod limits;
mod operate;
mod outgoing;
mod schedule;
mod schedules;
mod settings;
mod tx;
mod unique;
mod waits;

use std::fmt;
use std::sync::Arc;

use sqlx::{PgConnection, PgPool};

use crate::backend::memory::Memory;
use crate::backend::postgres::{self, Namespace, Postgres};
use crate::backend::{Backend, Lease, Migrated, NewJob};
use crate::error::{BoxError, Error, Kind, Result};
use crate::platform::{ManualClock, Platform};

pub use declared::DeclaredTask;
pub use edit::Edit;
pub use enqueue::{AnyTask, Enqueue, EnqueueMany, Handle, On, Target, enqueue_each, enqueue_many, enqueue_one};
pub use job::{AnyJob, JobBuilder};
pub use jobs::{Bulk, Count, Jobs, Page};
pub use limits::{Allow, LimitRef};
use outgoing::Gate;
pub use outgoing::Outgoing;
pub use schedule::ScheduleBuilder;
pub use schedules::ScheduleInfo;
pub(crate) use settings::{Settings, switch, variable};
pub use settings::{set_namespace, set_poll_only};
pub use tx::Tx;

/// The handle on a backend, PostgreSQL or in memory. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Arc<dyn Backend>,
    postgres: Option<Postgres>,
    platform: Platform,
    gate: Gate,
}

impl Client {
    /// Connects to PostgreSQL by a URL (`postgres://user:password@host/database`), under the process's namespace.
    ///
    /// # Errors
    /// The URL can't be read, or the server can't be reached.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder()?.connect(Some(url)).await
    }

    /// Uses a pool of one's own, under the process's namespace. Where its connections lead to PgBouncer or the like, see
    /// [`ClientBuilder::poll_only`].
    ///
    /// # Errors
    /// The process's namespace (`PGQ_SCHEMA`, `PGQ_PREFIX`) isn't valid.
    pub fn from_pool(pool: PgPool) -> Result<Self> {
        Ok(Self::builder()?.pool(pool))
    }

    /// Keeps jobs in memory, for tests and examples: the same semantics, gone with the last clone. In one thing it can't be the
    /// same: PostgreSQL lets whoever meets a unique key of an open transaction wait for its end, here the key counts as taken.
    #[must_use]
    pub fn memory() -> Self {
        ClientBuilder::new(Settings::default()).memory()
    }

    /// A client under another namespace, or with another limit, than the process's.
    ///
    /// # Errors
    /// The process's settings (`PGQ_SCHEMA`, `PGQ_PREFIX`, `PGQ_MAX_PAYLOAD`), from which it starts, isn't valid.
    pub fn builder() -> Result<ClientBuilder> {
        Ok(ClientBuilder::new(Settings::of_process()?.clone()))
    }

    /// Begins a transaction that jobs and SQL of one's own share.
    ///
    /// ```
    /// # #[pgq::task]
    /// # async fn charge(order: u64) -> Result<(), pgq::BoxError> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// let client = pgq::Client::memory();
    /// let tx = client.begin().await?;
    /// charge::enqueue(&tx, 7).await?;
    /// tx.commit().await?; // dropped instead, the job never existed
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx::new(self.inner.backend.begin().await?, self.inner.gate.clone()))
    }

    /// The same for an attempt.
    pub(crate) async fn begin_attempt(&self) -> Result<Tx> {
        Ok(Tx::new(self.inner.backend.begin_attempt().await?, self.inner.gate.clone()))
    }

    /// A connection or transaction of one's own as the target, with this client's namespace instead of the process's:
    /// `charge::enqueue(client.on(&mut tx), args)`. Of a client that is [poll-only](ClientBuilder::poll_only) it is right through a
    /// pooler too, on a transaction as on a connection without one.
    pub fn on<'t>(&'t self, connection: &'t mut PgConnection) -> On<'t> {
        On { client: self, connection }
    }

    /// Installs what is missing of the schema, or brings it up to date. Several may call it at once.
    ///
    /// The role that runs this owns the tables. Workers and producers may have another one, which owns nothing: `grant usage
    /// on schema pgq` and `grant select, insert, update, delete on all tables in schema pgq` are all that it needs.
    ///
    /// # Errors
    /// The database can't be reached, the role may not create tables, or the schema holds what isn't ours.
    pub async fn migrate(&self) -> Result<Migrated> {
        self.inner.backend.migrate().await
    }

    /// Checks that the schema is there in this version of the crate.
    ///
    /// # Errors
    /// It isn't ([`Error::is_schema`]), or the database can't be reached.
    pub async fn check(&self) -> Result<()> {
        self.inner.backend.check().await
    }

    /// The pool that the client works on. What SQL of your own needs where it leads to PgBouncer or the like,
    /// [`ClientBuilder::poll_only`] says.
    ///
    /// # Errors
    /// On the in-memory backend, which has no SQL: [`Error::is_unsupported`].
    pub fn pool(&self) -> Result<&PgPool> {
        let postgres = self.inner.postgres.as_ref();
        postgres.map(Postgres::pool).ok_or_else(|| Error::new(Kind::Unsupported, NO_SQL))
    }

    pub(crate) fn is_poll_only(&self) -> bool {
        self.inner.postgres.as_ref().is_some_and(Postgres::is_poll_only)
    }

    /// The backend itself, for who builds on the port.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.inner.backend
    }

    /// A job as this client would send it.
    pub(crate) fn prepare(&self, job: AnyJob) -> Result<NewJob> {
        job.ready(self.gate())
    }

    /// Asks of a job what is asked of all that go through this client.
    pub(crate) fn admit(&self, job: &mut NewJob) -> Result<()> {
        self.gate().pass(job)
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.inner.platform
    }

    /// A lease for a worker's session. A database may have other clients whose chance repeats as this one's does, under clocks
    /// of their own.
    pub(crate) fn draw_lease(&self) -> Lease {
        Lease(match self.inner.postgres {
            Some(_) => Platform::truly_random_i64(),
            None => self.inner.platform.random_i64(),
        })
    }

    pub(crate) fn max_payload(&self) -> usize {
        self.inner.gate.max_payload
    }

    fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    pub(crate) fn postgres(&self) -> Result<&Postgres> {
        self.inner.postgres.as_ref().ok_or_else(|| Error::new(Kind::Unsupported, NO_SQL))
    }
}

/// Why the in-memory backend refuses SQL.
pub(crate) const NO_SQL: &str =
    "the in-memory backend has no SQL: run this against PostgreSQL, or keep the SQL out of what is tested without one";

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = if self.inner.postgres.is_some() { "PostgreSQL" } else { "memory" };
        f.debug_struct("Client").field("backend", &backend).finish_non_exhaustive()
    }
}

/// A client in the making.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    settings: Settings,
    gate: Gate,
    platform: Platform,
}

impl ClientBuilder {
    pub(crate) fn new(settings: Settings) -> Self {
        let gate = Gate::new(settings.max_payload);
        Self { settings, gate, platform: Platform::system() }
    }

    /// Puts the tables into this schema, each name behind this prefix (which may be empty).
    ///
    /// # Errors
    /// One of them isn't 1 to 32 of a-z, 0-9 and `_`.
    pub fn namespace(mut self, schema: &str, prefix: &str) -> Result<Self> {
        self.settings.namespace = Namespace::new(schema, prefix)?;
        Ok(self)
    }

    /// For connections that lead to a pooler in transaction mode, such as PgBouncer, instead of to the server itself: rests
    /// nothing on what is set, prepared, locked or listened for on a connection beyond the end of a transaction. Everything
    /// else works as ever, migrations too, three round trips slower a statement. Workers of such a client don't hear of new
    /// jobs but look for them about every second, and their jobs are freed when their lease is over, not by sight. Those that
    /// aren't poll-only hear of what it enqueues at once.
    ///
    /// `PGQ_POLL_ONLY=1` and [`set_poll_only`] are the same for all clients of a process, and for bare connections as targets.
    ///
    /// **SQL of your own** on such connections, also on a [`Tx`]'s, needs `sqlx::query(…).persistent(false)` within a
    /// transaction. Outside of one it may be answered with another client's rows, without an error; with prepared statements,
    /// as sqlx has them by itself, it fails, or does what another client has prepared. Only with PgBouncer 1.21 or newer and
    /// `max_prepared_statements` above 0 is everything safe that sqlx does by itself. A pool that you make for one wants
    /// `PgConnectOptions::extra_float_digits(None)`, which PgBouncer refuses otherwise.
    #[must_use]
    pub fn poll_only(mut self) -> Self {
        self.settings.poll_only = true;
        self
    }

    /// The largest payload that is taken, in bytes as encoded; 1 MiB unless said otherwise.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.gate.max_payload = bytes;
        self
    }

    /// Looks at every job that goes through the client, `client.on(…)` and its [`Tx`] before it goes, and at those of schedules
    /// that its workers make; it may add headers, or refuse the job, and its batch, with an error. A tick whose job is refused
    /// makes none, which the log tells. The first that is added looks first. A bare connection, transaction or
    /// pool as the target goes past it: these know of no client.
    ///
    /// ```
    /// # #[pgq::task]
    /// # async fn charge(order: u64) -> Result<(), pgq::BoxError> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// let client = pgq::Client::builder()?
    ///     .on_enqueue(|job| {
    ///         job.header("tenant", "acme"); // and `context.headers()` of a handler or a layer reads it
    ///         if job.task() == "refund" { Err("refunds are closed")? } else { Ok(()) }
    ///     })
    ///     .memory();
    /// let job = charge::enqueue(&client, 7).await?;
    /// # let kept = client.get(job.id()).await?.map(|job| job.headers);
    /// # assert_eq!(kept.and_then(|mut headers| headers.remove("tenant")).as_deref(), Some("acme"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn on_enqueue<F>(mut self, check: F) -> Self
    where
        F: Fn(&mut Outgoing<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    {
        self.gate.add(check);
        self
    }

    /// Takes the time from a clock that a test moves, on both backends. It is for workers whose turns the test takes
    /// ([`testing::stepper`](crate::testing::stepper)): one that runs by itself waits for the clock, even before it writes an end.
    #[must_use]
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.platform = Platform::manual(clock);
        self
    }

    /// Connects to PostgreSQL by a URL, or as PGHOST and its like say where there is none.
    ///
    /// # Errors
    /// The URL can't be read, or the server can't be reached.
    pub async fn connect(self, url: Option<&str>) -> Result<Client> {
        Ok(self.pool(postgres::connect(&postgres::options(url)?).await?))
    }

    /// Uses a pool of one's own.
    #[must_use]
    pub fn pool(self, pool: PgPool) -> Client {
        let Settings { namespace, .. } = &self.settings;
        let postgres = Postgres::new(pool, namespace, self.settings.is_poll_only(), self.platform.clock.clone());
        self.build(Arc::new(postgres.clone()), Some(postgres))
    }

    /// Keeps jobs in a backend of one's own.
    #[must_use]
    pub fn backend(self, backend: Arc<dyn Backend>) -> Client {
        self.build(backend, None)
    }

    /// Keeps jobs in memory.
    #[must_use]
    pub fn memory(self) -> Client {
        let memory = Memory::new(self.platform.clock.clone());
        self.build(Arc::new(memory), None)
    }

    fn build(self, backend: Arc<dyn Backend>, postgres: Option<Postgres>) -> Client {
        Client { inner: Arc::new(Inner { backend, postgres, platform: self.platform, gate: self.gate }) }
    }
}
