//! Enqueueing: the targets that jobs can go to, and the futures that take them there.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pgq_core::Placement;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::outgoing::Gate;
use super::{AnyJob, Client, Settings, Tx};
use crate::backend::{Answer, Enqueued, postgres};
use crate::error::{Error, Kind, Result};
use crate::task::Task;
use crate::{JobBuilder, JobId};

/// Where jobs can be enqueued: `&PgPool`, `&mut PgConnection`, `&mut PoolConnection`, `&mut Transaction` (`&mut *tx` where
/// `tx` is a reference already), [`&Client`](Client), [`client.on(…)`](Client::on) and [`&Tx`](Tx).
///
/// Through a pooler in transaction mode, such as PgBouncer, the last three are right where the client is
/// [poll-only](crate::ClientBuilder::poll_only), and all of them where the process is: `PGQ_POLL_ONLY=1` or
/// [`set_poll_only`](crate::set_poll_only).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no place to enqueue a job",
    label = "expected `&mut tx` of a `sqlx::Transaction`, `&PgPool`, `&Client` or `&pgq::Tx`",
    note = "a `sqlx::Transaction` goes in as `&mut tx`, or as `&mut *tx` where `tx` is a reference already"
)]
pub trait Target<'t>: sealed::Target<'t> {}

#[diagnostic::do_not_recommend]
impl<'t, T: sealed::Target<'t>> Target<'t> for T {}

pub(crate) mod sealed {
    use super::{Answer, AnyJob, Enqueued};

    /// Takes jobs where they go, all or none.
    pub trait Target<'t> {
        fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>>;
    }
}

impl<'t> sealed::Target<'t> for &'t Client {
    fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>> {
        Box::pin(async move { self.inner.backend.enqueue(AnyJob::all_ready(jobs, self.gate())?).await })
    }
}

impl<'t> sealed::Target<'t> for &'t Tx {
    fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>> {
        Box::pin(async move { self.transaction().enqueue(AnyJob::all_ready(jobs, self.gate())?).await })
    }
}

impl<'t> sealed::Target<'t> for &'t PgPool {
    fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>> {
        Box::pin(async move { sealed::Target::send(&Client::from_pool(self.clone())?, jobs).await })
    }
}

impl<'t> sealed::Target<'t> for &'t mut PgConnection {
    fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>> {
        Box::pin(async move {
            let settings = Settings::of_process()?;
            let jobs = AnyJob::all_ready(jobs, &Gate::new(settings.max_payload))?;
            postgres::insert(self, &settings.namespace, settings.is_poll_only(), jobs).await
        })
    }
}

impl<'t> sealed::Target<'t> for &'t mut PoolConnection<Postgres> {
    fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>> {
        sealed::Target::send(&mut **self, jobs)
    }
}

impl<'t> sealed::Target<'t> for &'t mut Transaction<'_, Postgres> {
    fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>> {
        sealed::Target::send(&mut **self, jobs)
    }
}

/// A connection or transaction of one's own with a client's namespace; [`Client::on`] makes it.
#[must_use = "it is a target for enqueue"]
pub struct On<'t> {
    pub(super) client: &'t Client,
    pub(super) connection: &'t mut PgConnection,
}

impl<'t> sealed::Target<'t> for On<'t> {
    fn send(self, jobs: Vec<AnyJob>) -> Answer<'t, Vec<Enqueued>> {
        Box::pin(async move {
            let jobs = AnyJob::all_ready(jobs, self.client.gate())?;
            self.client.postgres()?.insert(self.connection, jobs).await
        })
    }
}

impl fmt::Debug for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A job that was enqueued.
pub struct Handle<T> {
    id: JobId,
    placement: Placement,
    task: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    fn new(enqueued: Enqueued) -> Self {
        Self { id: enqueued.id, placement: enqueued.placement, task: PhantomData }
    }

    /// Its id, or that of the one which has its unique key.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Whether it was put in now.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.placement == Placement::New
    }

    /// What became of it: in a batch, a job that was refused for its unique key says so here.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.placement
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).field("placement", &self.placement).finish()
    }
}

/// Enqueues a job once it is awaited. Nothing happens before.
#[must_use = "a job is enqueued when this is awaited"]
pub struct Enqueue<'t, T> {
    sent: Answer<'t, Vec<Enqueued>>,
    name: Cow<'static, str>,
    task: PhantomData<fn() -> T>,
}

impl<'t, T> Enqueue<'t, T> {
    pub(super) fn new(target: impl Target<'t>, name: Cow<'static, str>, job: AnyJob) -> Self {
        Self { sent: target.send(vec![job]), name, task: PhantomData }
    }
}

impl<T> Future for Enqueue<'_, T> {
    type Output = Result<Handle<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.sent.as_mut().poll(context).map(|sent| match sent?.first() {
            Some(Enqueued { id, placement: Placement::Rejected { running } }) => {
                Err(duplicate(*running).about_job(*id).about_task(&self.name))
            }
            Some(enqueued) => Ok(Handle::new(*enqueued)),
            None => Err(Error::new(Kind::Database, "the database returned no id for a job")),
        })
    }
}

fn duplicate(running: bool) -> Error {
    let message =
        if running { "a job with this unique key is running" } else { "a job with this unique key is there already" };
    Error::new(Kind::Duplicate { running }, message)
}

/// Enqueues jobs, all or none, once it is awaited. Nothing happens before.
#[must_use = "jobs are enqueued when this is awaited"]
pub struct EnqueueMany<'t, T> {
    sent: Answer<'t, Vec<Enqueued>>,
    task: PhantomData<fn() -> T>,
}

impl<T> Future for EnqueueMany<'_, T> {
    type Output = Result<Vec<Handle<T>>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.sent.as_mut().poll(context).map(|sent| Ok(sent?.into_iter().map(Handle::new).collect()))
    }
}

impl<T> fmt::Debug for Enqueue<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enqueue").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for EnqueueMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnqueueMany").finish_non_exhaustive()
    }
}

/// What `my_task::enqueue` does.
pub fn enqueue_one<'t, T: Task>(target: impl Target<'t>, args: T::Args) -> Enqueue<'t, T> {
    JobBuilder::<T>::new(args).enqueue(target)
}

/// What `my_task::enqueue_many` does.
pub fn enqueue_each<'t, T: Task>(
    target: impl Target<'t>,
    args: impl IntoIterator<Item = T::Args>,
) -> EnqueueMany<'t, T> {
    let jobs = args.into_iter().map(|args| JobBuilder::<T>::new(args).into()).collect();
    EnqueueMany { sent: target.send(jobs), task: PhantomData }
}

/// Enqueues jobs of any tasks in one round trip, all or none; the handles come in their order. Each is an [`AnyJob`], which what
/// `my_task::job` makes becomes by `into`, or where all are of one task by `map(AnyJob::from)`.
///
/// ```
/// # #[pgq::task]
/// # async fn charge(order: u64) -> Result<(), pgq::BoxError> { Ok(()) }
/// # #[pgq::task]
/// # async fn notify(who: String) -> Result<(), pgq::BoxError> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
/// # let client = pgq::Client::memory();
/// let jobs = [charge::job(7).priority(5).into(), notify::job("kim".to_owned()).into()];
/// let handles = pgq::enqueue_many(&client, jobs).await?;
/// # assert_eq!(handles.len(), 2);
///
/// let charges = [7, 8].map(|order| charge::job(order).priority(5));
/// pgq::enqueue_many(&client, charges.into_iter().map(pgq::AnyJob::from)).await?;
/// # Ok(()) }
/// ```
pub fn enqueue_many<'t>(target: impl Target<'t>, jobs: impl IntoIterator<Item = AnyJob>) -> EnqueueMany<'t, AnyTask> {
    EnqueueMany { sent: target.send(jobs.into_iter().collect()), task: PhantomData }
}

/// Stands for the task of a job in a mixed batch.
#[derive(Clone, Copy, Debug)]
pub enum AnyTask {}
