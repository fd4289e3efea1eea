//! What a handler is given: its resources, and what there is to know about its attempt.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pgq_core::{Headers, JobId, Tick};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::resources::Provides;
use super::{Blocking, FollowUps, Gauge, Kept, Place, Provide, Stint, Token};
use crate::backend::Steps;
use crate::{AnyJob, Client, Result};

/// The context of one attempt. It derefs to the resources `R` that the task asks for; `Context` alone is `Context<()>`.
///
/// `R` is the worker's [`Resources`](crate::Resources) type, or the type of one of its fields where that derives
/// [`Provide`](crate::Provide). Clones are cheap and speak of the same attempt.
///
/// What a handler logs stands in a span of the attempt: see [what handlers log](crate#what-handlers-log).
pub struct Context<R: 'static = ()> {
    resources: Provides<R>,
    attempt: Arc<Attempt>,
}

/// What there is to know about one attempt.
pub(crate) struct Attempt {
    pub(crate) id: JobId,
    pub(crate) task: &'static str,
    pub(crate) queue: String,
    pub(crate) epoch: u32,
    pub(crate) number: u16,
    pub(crate) max_attempts: u16,
    pub(crate) crashes: u16,
    pub(crate) headers: Headers,
    pub(crate) tick: Option<Tick>,
    pub(crate) token: Token,
    /// Set once it matters that no other attempt runs beside it.
    pub(crate) alone: Arc<AtomicBool>,
    /// How far its handler says that it has come.
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) client: Client,
    pub(crate) follow_ups: Arc<FollowUps>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) blocking: Arc<Blocking>,
    pub(crate) place: Mutex<Option<Place>>,
    pub(crate) stint: Stint,
    /// In which stands what its handler logs.
    pub(crate) span: Span,
}

impl Attempt {
    /// The place that was kept for its blocking handler.
    pub(super) fn reserved(&self) -> Option<Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<R> Context<R> {
    pub(crate) fn new(resources: Provides<R>, attempt: Arc<Attempt>) -> Self {
        Self { resources, attempt }
    }

    /// The same attempt, with other resources.
    pub(super) fn with<S>(self, resources: Provides<S>) -> Context<S> {
        Context::new(resources, self.attempt)
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.attempt.kept
    }

    /// From now on it matters that no other attempt runs beside this one.
    pub(super) fn stand_alone(&self) {
        self.attempt.alone.store(true, Ordering::SeqCst);
    }

    pub(super) fn into_attempt(self) -> Arc<Attempt> {
        self.attempt
    }

    /// The job's id.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.attempt.id
    }

    /// The task's canonical name.
    #[must_use]
    pub fn task(&self) -> &'static str {
        self.attempt.task
    }

    /// The lane that the job waited in.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.attempt.queue
    }

    /// Which attempt this is, from 1. Snoozing and handing back refund an attempt, so two runs may have one number.
    #[must_use]
    pub fn attempt(&self) -> u16 {
        self.attempt.number
    }

    /// How many attempts may start in total.
    #[must_use]
    pub fn max_attempts(&self) -> u16 {
        self.attempt.max_attempts
    }

    /// The claim number of this run, as the `bigint` that PostgreSQL would keep it in. It grows with every claim over the
    /// life of a job (only a crash of the server may give one twice, to two runs), so a write of your own that says
    /// `where fence < $1` can't be undone by a run that was overtaken and doesn't know it yet. A run that writes more than once says
    /// `where fence <= $1`; either way it looks at how many rows it has changed.
    ///
    /// An attempt that has asked for it, or whose task limits how many run at once, is told to end ([`token`](Self::token))
    /// when the worker's signs of life aren't accepted for four fifths of its lease, before anybody else may run the job.
    ///
    /// Here a table keeps what the last run of a job found out. Claim numbers of different jobs say nothing about each other,
    /// so the job's id is its key:
    ///
    /// ```
    /// use pgq::sqlx::{self, PgPool};
    /// use pgq::{BoxError, Client, Context, JobId};
    ///
    /// #[derive(pgq::Provide)]
    /// struct App {
    ///     db: PgPool,
    /// }
    ///
    /// #[pgq::task]
    /// async fn inspect(ctx: Context<App>, site: String) -> Result<(), BoxError> {
    ///     let found = format!("all is well at {site}");
    ///     if !write(&ctx.db, ctx.job_id(), ctx.fence(), &found).await? {
    ///         return Err("another run of this job has begun".into());
    ///     }
    ///     Ok(())
    /// }
    ///
    /// /// Whether it was written, or refused because a later run has written.
    /// async fn write(db: &PgPool, job: JobId, fence: i64, found: &str) -> sqlx::Result<bool> {
    ///     let upsert = "insert into finding (job, fence, found) values ($1, $2, $3)
    ///                   on conflict (job) do update set fence = $2, found = $3 where finding.fence < $2";
    ///     let written = sqlx::query(upsert).bind(job.0).bind(fence).bind(found).execute(db).await?;
    ///     Ok(written.rows_affected() == 1)
    /// }
    /// # impl pgq::Resources for App {
    /// #     async fn init(env: &pgq::Env) -> pgq::Result<Self> { Ok(Self { db: env.pool()?.clone() }) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
    /// # let database = pgq_testdb::Database::create().await?;
    /// # let db = database.pool().await?;
    /// # sqlx::query("create table finding (job bigint primary key, fence bigint not null, found text)").execute(&db).await?;
    /// # let client = Client::from_pool(db.clone())?;
    /// # client.migrate().await?;
    ///
    /// let job = inspect::enqueue(&client, "the harbour".to_owned()).await?.id();
    /// let mut worker = pgq::testing::stepper(&client, pgq::tasks![inspect], App { db: db.clone() }).await?;
    /// worker.step().await?;
    /// client.retry(job).await?;
    /// worker.step().await?;
    /// // The first run, had it been stopped before its write and gone on only now:
    /// assert!(!write(&db, job, 1, "a fire").await?);
    /// # let found: String = sqlx::query_scalar("select found from finding").fetch_one(&db).await?;
    /// # assert_eq!(found, "all is well at the harbour");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fence(&self) -> i64 {
        self.stand_alone();
        self.attempt.epoch.into()
    }

    /// How often a worker died while it ran the job. What an earlier run did before that may be done already.
    #[must_use]
    pub fn crashes(&self) -> u16 {
        self.attempt.crashes
    }

    /// The tick that made the job: of which schedule, when it was meant to run, and the tick before that. `None` for a job that
    /// was enqueued by hand.
    #[must_use]
    pub fn tick(&self) -> Option<Tick> {
        self.attempt.tick.clone()
    }

    /// Text that was enqueued along with the job.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.attempt.headers
    }

    /// The token that fires when the attempt should end early: its job was cancelled, its time is over, the worker stops, or
    /// its lease is lost, or, where that matters ([`fence`](Self::fence)), in doubt. Whoever hears it ends as soon as he can, with an
    /// error where his work isn't done: of a worker that stops, the job is handed back then, and the attempt isn't counted.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        self.attempt.token.get()
    }

    /// Whether the attempt should end early.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.attempt.token.is_cancelled()
    }

    /// Waits until the attempt should end early.
    pub async fn cancelled(&self) {
        self.attempt.token.get().cancelled().await;
    }

    /// Says how far this attempt has come: so much is done, of so much, in whatever the handler counts. It takes no time worth
    /// mentioning and can't fail, so a loop may say so on every round.
    ///
    /// The worker writes what was said last to the database about once a second, for all its attempts together, and with the
    /// end of the attempt, where [`JobInfo::progress`](crate::JobInfo::progress) and the view `jobs` have it. The next attempt
    /// begins without. An attempt whose progress changes isn't named in the log as one that runs for long.
    ///
    /// A `total` of 0 says that nobody knows it. What is done may be more than the total, or less than before: both are kept as
    /// they are said, up to 2^63 - 1, and [`Progress::fraction`](crate::Progress::fraction) never exceeds 1.
    ///
    /// It is for who watches, not for going on from there: what a worker's last second has seen may be lost with it.
    ///
    /// ```
    /// #[pgq::task]
    /// async fn import(ctx: pgq::Context, rows: Vec<String>) -> Result<(), pgq::BoxError> {
    ///     for (done, row) in (1..).zip(&rows) {
    ///         println!("{row}");
    ///         ctx.progress(done, rows.len() as u64);
    ///     }
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// # let client = pgq::Client::memory();
    /// # let id = import::enqueue(&client, vec!["a".to_owned(), "b".to_owned()]).await?.id();
    /// # let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![import], ()).await?;
    /// # worker.drain().await?;
    /// let progress = client.get(id).await?.and_then(|job| job.progress);
    /// assert_eq!(progress.and_then(|progress| progress.fraction()), Some(1.0));
    /// # Ok(()) }
    /// ```
    pub fn progress(&self, done: u64, total: u64) {
        self.attempt.gauge.say(Steps::new(done, total));
    }

    /// Enqueues a job together with the completion of this one: in one commit, once the handler has returned `Ok`. Of an attempt
    /// that ends in any other way, or whose lease is lost, nothing is left. To enqueue at once, and whatever comes of this
    /// attempt, enqueue on [`client`](Context::client).
    ///
    /// A job whose unique key is taken by then is left out, and the log says so.
    ///
    /// ```
    /// #[pgq::task]
    /// async fn charge(ctx: pgq::Context, order: u64) -> Result<(), pgq::BoxError> {
    ///     // …
    ///     ctx.enqueue(send_receipt::job(order))?;
    ///     Ok(())
    /// }
    ///
    /// #[pgq::task]
    /// async fn send_receipt(order: u64) -> Result<(), pgq::BoxError> {
    ///     println!("order {order} is paid");
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// # let client = pgq::Client::memory();
    /// # charge::enqueue(&client, 7).await?;
    /// # let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![charge, send_receipt], ()).await?;
    /// # assert_eq!(worker.drain().await?, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The job has a mistake in it, there are more than 10,000 already, or the attempt has ended.
    pub fn enqueue(&self, job: impl Into<AnyJob>) -> Result<()> {
        self.attempt.follow_ups.push(self.attempt.client.prepare(job.into())?)
    }

    /// The client of the worker, to enqueue more at once.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.attempt.client
    }
}

impl<R> Deref for Context<R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.resources.provide()
    }
}

impl<R> Clone for Context<R> {
    fn clone(&self) -> Self {
        Self { resources: Arc::clone(&self.resources), attempt: Arc::clone(&self.attempt) }
    }
}

impl<R> fmt::Debug for Context<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("job_id", &self.attempt.id)
            .field("task", &self.attempt.task)
            .field("attempt", &self.attempt.number)
            .field("fence", &self.attempt.epoch)
            .finish_non_exhaustive()
    }
}

/// A value that provides itself, for a context that no worker made.
pub(crate) struct Own<T>(pub(crate) T);

impl<T: Send + Sync + 'static> Provide<T> for Own<T> {
    fn provide(&self) -> &T {
        &self.0
    }
}
