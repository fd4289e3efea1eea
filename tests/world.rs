//! Where a fact is tested: a backend with nothing in it, under a clock that only the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use pgq::backend::{
    Claim, Claimed, Codec, Declaration, Ended, Enqueued, Failure, JobInfo, Lease, NewJob, Notice, Pulse, Registration,
    Session, Transition, Verdict, Want, When,
};
use pgq::sqlx::PgPool;
use pgq::testing::{ManualClock, Stepper, stepper};
use pgq::{Client, ClientBuilder, FailureKind, Headers, JobId, Priority, Resources, Result, State, Tasks, Timestamp};
use pgq_testdb::{Database, Template};

/// A backend, and what a test needs to put to it.
pub(crate) struct World {
    pub(crate) client: Client,
    /// Of those who hear of new jobs, wherever the others look for them only.
    pub(crate) hearing: Client,
    poll_only: bool,
    pub(crate) clock: ManualClock,
    /// Kept for as long as the world.
    pub(crate) database: Option<Database>,
}

static SCHEMA: Template = Template::new();

impl World {
    pub(crate) fn memory() -> Self {
        let clock = clock();
        let client = Client::builder().unwrap().clock(clock.clone()).memory();
        Self::of(client, clock, None)
    }

    pub(crate) async fn postgres() -> Self {
        let database = installed().await;
        let clock = clock();
        let pool = database.pool().await.unwrap();
        let client = Client::builder().unwrap().clock(clock.clone()).pool(pool);
        Self::of(client, clock, Some(database))
    }

    /// PostgreSQL, as if a pooler in transaction mode were between.
    pub(crate) async fn poll_only() -> Self {
        Self::postgres().await.over(|hearing, _| hearing.pool().unwrap().clone())
    }

    /// PostgreSQL behind PgBouncer in transaction mode.
    #[cfg(feature = "pooler")]
    pub(crate) async fn pooler() -> Self {
        Self::postgres().await.over(|_, database| crate::pooler::bouncer::pool(database))
    }

    /// The same, looked at through a pool that may lead to a pooler.
    fn over(self, pool: impl FnOnce(&Client, &Database) -> PgPool) -> Self {
        let pool = pool(&self.client, self.database.as_ref().unwrap());
        let client = Client::builder().unwrap().clock(self.clock.clone()).poll_only().pool(pool);
        Self { client, poll_only: true, ..self }
    }

    pub(crate) fn of(client: Client, clock: ManualClock, database: Option<Database>) -> Self {
        Self { hearing: client.clone(), client, poll_only: false, clock, database }
    }

    /// Another client of the same backend.
    pub(crate) fn client_of(&self, builder: ClientBuilder) -> Client {
        let builder = builder.clock(self.clock.clone());
        match self.client.pool() {
            Ok(pool) if self.poll_only => builder.poll_only().pool(pool.clone()),
            Ok(pool) => builder.pool(pool.clone()),
            Err(_) => builder.backend(Arc::clone(self.client.backend())),
        }
    }

    /// Moves the clock on until this is over.
    pub(crate) async fn while_time_passes<T>(&self, what: impl Future<Output = T>) -> T {
        let time = async {
            loop {
                self.clock.advance(Duration::from_millis(5));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            done = what => done,
            () = time => unreachable!("time goes on"),
        }
    }

    /// Enqueues jobs as they are.
    pub(crate) async fn put(&self, jobs: Vec<NewJob>) -> Result<Vec<JobId>> {
        let enqueued = self.client.backend().enqueue(jobs).await?;
        Ok(enqueued.into_iter().map(|Enqueued { id, .. }| id).collect())
    }

    pub(crate) async fn put_one(&self, job: NewJob) -> Result<JobId> {
        Ok(self.put(vec![job]).await?[0])
    }

    /// A worker's session that can run these tasks, all in the queue `default`.
    pub(crate) async fn session(&self, tasks: &[&str]) -> Result<Arc<dyn Session>> {
        self.session_for(tasks.iter().map(|task| want("default", task, u32::MAX)).collect()).await
    }

    pub(crate) async fn session_for(&self, wants: Vec<Want>) -> Result<Arc<dyn Session>> {
        self.register(&self.client, wants, Vec::new()).await
    }

    /// As [`session`](Self::session), of a worker that can sleep and be woken.
    pub(crate) async fn sleeper(&self, tasks: &[&str]) -> Result<Arc<dyn Session>> {
        let wants = tasks.iter().map(|task| want("default", task, u32::MAX)).collect();
        self.register(&self.hearing, wants, Vec::new()).await
    }

    /// A worker's session whose tasks say something about themselves.
    pub(crate) async fn session_declaring(&self, tasks: Vec<Declaration>) -> Result<Arc<dyn Session>> {
        let wants = tasks.iter().map(|task| want(&task.queue, &task.name, u32::MAX)).collect();
        self.register(&self.client, wants, tasks).await
    }

    async fn register(&self, client: &Client, wants: Vec<Want>, tasks: Vec<Declaration>) -> Result<Arc<dyn Session>> {
        static LEASES: AtomicI64 = AtomicI64::new(1);
        let lease = Lease(LEASES.fetch_add(1, Ordering::SeqCst));
        let (instance, host) = (pgq::backend::Uuid::nil(), "test".to_owned());
        let worker =
            Registration { lease, instance, host, pid: 1, span: SPAN, synchronous_commit: false, wants, tasks };
        client.backend().register(worker).await
    }

    pub(crate) async fn worker<R: Resources>(&self, tasks: Tasks<R>, resources: R) -> Result<Stepper> {
        stepper(&self.client, tasks, resources).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<JobInfo> {
        Ok(self.client.get(id).await?.expect("the job is kept"))
    }

    pub(crate) async fn state(&self, id: JobId) -> Result<State> {
        Ok(self.job(id).await?.state)
    }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// For how long a test's session lives without a beat.
pub(crate) const SPAN: Duration = Duration::from_secs(30);

fn clock() -> ManualClock {
    // 2026-01-01T00:00:00Z.
    ManualClock::at(Timestamp::from_micros(1_767_225_600_000_000))
}

/// A database with pgq's tables, copied from one that was installed once.
pub(crate) async fn installed() -> Database {
    let install = async |pool| Client::builder()?.pool(pool).migrate().await.map(drop);
    SCHEMA.database(install).await.unwrap()
}

/// A job of a task, with nothing particular about it.
pub(crate) fn job(task: &'static str) -> NewJob {
    NewJob {
        task: task.into(),
        queue: "default".into(),
        priority: Priority::default(),
        when: When::Now,
        max_attempts: 20,
        timeout: None,
        expires_in: None,
        unique: None,
        codec: Codec::MessagePack,
        payload: vec![0xc0],
        headers: Headers::new(),
        tick: None,
        limit_keys: Vec::new(),
    }
}

pub(crate) fn with_priority(task: &'static str, priority: i16) -> NewJob {
    NewJob { priority: Priority::new(priority).unwrap(), ..job(task) }
}

pub(crate) fn in_queue(task: &'static str, queue: &'static str) -> NewJob {
    NewJob { queue: queue.into(), ..job(task) }
}

pub(crate) fn after(task: &'static str, delay: Duration) -> NewJob {
    NewJob { when: When::After(delay), ..job(task) }
}

/// What a task of the queue `default` declares.
pub(crate) fn declaration(name: &str, options: serde_json::Value) -> Declaration {
    Declaration { name: name.to_owned(), queue: "default".to_owned(), options, schema: None }
}

pub(crate) fn want(queue: &str, task: &str, cap: u32) -> Want {
    Want { queue: queue.into(), task: task.into(), cap }
}

/// Claims up to `limit` jobs of these tasks, in the queue `default`.
pub(crate) async fn claim(session: &Arc<dyn Session>, tasks: &[&str], limit: u32) -> Result<Vec<Claimed>> {
    claim_of(session, tasks.iter().map(|task| want("default", task, u32::MAX)).collect(), limit).await
}

pub(crate) async fn claim_of(session: &Arc<dyn Session>, wants: Vec<Want>, limit: u32) -> Result<Vec<Claimed>> {
    let claim = Claim { wants: wants.into(), groups: Vec::new(), limit, thorough: true, suspect: true };
    Ok(session.claim(claim).await?.jobs)
}

pub(crate) fn ids(jobs: &[Claimed]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

/// What a worker knows that it holds.
pub(crate) fn claims(jobs: &[Claimed]) -> Vec<(JobId, u32)> {
    jobs.iter().map(|job| (job.id, job.epoch)).collect()
}

/// For how long an attempt of a test's ran, as its holder says.
pub(crate) const RAN: Duration = Duration::from_millis(1_500);

/// The end of a claimed job's attempt; finished jobs are kept for an hour.
pub(crate) fn ended(job: &Claimed, transition: Transition) -> Ended {
    let keep = Duration::from_hours(1);
    Ended {
        id: job.id,
        epoch: job.epoch,
        ran: RAN,
        ago: Duration::ZERO,
        transition,
        keep,
        steps: None,
        follow_ups: Vec::new(),
        limit_keys: job.limit_keys.clone(),
    }
}

/// Ends one claimed job's attempt.
pub(crate) async fn end(session: &Arc<dyn Session>, job: &Claimed, transition: Transition) -> Result<Verdict> {
    Ok(session.finish(&[ended(job, transition)]).await?[0])
}

pub(crate) fn failure() -> Failure {
    Failure::new(FailureKind::Error, "no route to host")
}

pub(crate) fn retry(after: Duration) -> Transition {
    Transition::Retry { after, failure: failure() }
}

/// The next notice. It is there, or something is wrong: the limit only bounds how long a failing test takes.
pub(crate) async fn notice(pulse: &mut Box<dyn Pulse>) -> Notice {
    let heard = tokio::time::timeout(Duration::from_secs(20), pulse.notice()).await;
    heard.expect("a notice comes").expect("the pulse beats")
}

/// What comes soon, or something is wrong: the limit only bounds how long a failing test takes.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what}"))
}

/// Starts what may be started, and waits for none of it; how many that was.
pub(crate) async fn start(worker: &mut Stepper) -> Result<usize> {
    let mut all = 0;
    loop {
        match worker.start().await? {
            0 => return Ok(all),
            some => all += some,
        }
    }
}

/// Lets this much time pass in a hundred steps, at most until the future is done: whoever waits for time may sleep a little later than
/// the test sees.
pub(crate) async fn passing<F: Future>(clock: &ManualClock, span: Duration, future: F) -> F::Output {
    let passes = async {
        for _ in 0..100 {
            clock.advance(span / 100);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        output = future => output,
        never = passes => never,
    }
}
