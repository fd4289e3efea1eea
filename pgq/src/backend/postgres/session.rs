//! A worker's session: connections of its own, a lease, and the verbs on both.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use pgq_core::{Claimed, Headers, JobId, Lease, Priority, Timestamp, crash};
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use super::Postgres;
use super::connect::engine_link;
use super::convert::{Instant, column, database, instant, micros, unsigned};
use super::damage::Damage;
use super::extra::Extra;
use super::finish::Holder;
use super::link::Link;
use super::namespace::{Statements, fnv1a_64};
use super::passed::Passed;
use super::pulse::PgPulse;
use super::refused::Refused;
use super::unseen::Unseen;
use super::wake::{Call, hash};
use super::witness::Witness;
use crate::Result;
use crate::backend::vigil::Vigil;
use crate::backend::{
    Advance, Answer, Ask, Batch, Claim, Declaration, Ended, Group, NextToken, PoolName, PoolView, Portion, Pulse,
    Reconciled, Registration, Verdict, Want, Work,
};
use crate::platform::{Clock, within};

pub(super) struct PgSession {
    pub(super) lease: Lease,
    /// For how long a beat of it holds.
    pub(super) span: Duration,
    links: RwLock<Link>,
    /// Whether claims and ends wait for the disk.
    synchronous_commit: bool,
    pub(super) statements: Arc<Statements>,
    pub(super) clock: Clock,
    pub(super) witness: Arc<Witness>,
    /// What this worker has seen of the others' beats.
    pub(super) vigil: Arc<Vigil>,
    passed: Mutex<Passed>,
    refused: Mutex<Refused>,
    pruned_until: Mutex<Option<Timestamp>>,
    /// Gates that are known to exist.
    gates: Mutex<HashSet<String>>,
    /// Gates that have to be looked at again, as somebody had them locked.
    pub(super) unseen: Arc<Unseen>,
    /// How often doubts were settled about what the lease holds.
    pub(super) doubts: AtomicI32,
}

/// How long a worker that has left stays for what it had.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// The most bytes of payload of one claim, whatever it asks for; a single job may have more.
const MOST_BYTES: i64 = 4 << 20;

impl PgSession {
    pub(super) async fn open(backend: &Postgres, worker: Registration) -> Result<Self> {
        let session = Self {
            lease: worker.lease,
            span: worker.span,
            links: RwLock::new(engine_link(&backend.link, worker.lease, worker.synchronous_commit)),
            synchronous_commit: worker.synchronous_commit,
            statements: Arc::clone(&backend.statements),
            clock: backend.clock.clone(),
            witness: Arc::default(),
            vigil: Arc::new(Vigil::begin(&backend.clock)),
            passed: Mutex::default(),
            refused: Mutex::new(Refused::new(backend.clock.clone())),
            pruned_until: Mutex::default(),
            gates: Mutex::default(),
            unseen: Arc::default(),
            doubts: AtomicI32::new(0),
        };
        session.introduce(worker).await?;
        Ok(session)
    }

    /// The engine's own connections.
    pub(super) fn engine(&self) -> Link {
        self.links.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The time that a test has set.
    pub(super) fn now(&self) -> Option<Instant> {
        self.clock.fixed().map(Instant)
    }

    /// In whose name ends are written.
    pub(super) fn holder(&self) -> Holder<'_> {
        Holder { statements: &self.statements, lease: self.lease, now: self.now() }
    }

    /// A transaction that waits for the disk, for what must not be forgotten.
    pub(super) async fn begin_durable(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        self.engine().begin_with("set local synchronous_commit = on").await
    }

    async fn introduce(&self, worker: Registration) -> Result<()> {
        let wants = worker.wants.iter().map(|want| hash(&want.queue, &want.task));
        // Who hears nothing isn't woken.
        let wants: Option<Vec<i32>> = (!self.engine().is_poll_only()).then(|| wants.collect());
        let mut transaction = self.begin_durable().await?;
        let query = self.statements.register_worker.query();
        let query = query.bind(worker.lease.0).bind(worker.instance).bind(worker.host).bind(worker.pid.cast_signed());
        let query = query.bind(micros(worker.span)).bind(wants).bind(self.now());
        query.execute(&mut *transaction).await.map_err(database)?;
        self.publish(&mut transaction, worker.tasks).await?;
        transaction.commit().await.map_err(database)
    }

    async fn publish(&self, connection: &mut sqlx::PgConnection, tasks: Vec<Declaration>) -> Result<()> {
        let fingerprints: Vec<i64> = tasks.iter().map(fingerprint).collect();
        let (mut names, mut queues, mut options, mut schemas) = (vec![], vec![], vec![], vec![]);
        for task in tasks {
            names.push(task.name);
            queues.push(task.queue);
            options.push(task.options);
            schemas.push(task.schema);
        }
        let query = self.statements.register_tasks.query().bind(names).bind(queues).bind(options).bind(schemas);
        query.bind(fingerprints).bind(self.now()).execute(connection).await.map(drop).map_err(database)
    }

    pub(super) async fn call(&self, call: &Call) -> Result<()> {
        self.engine().wake(&self.statements, &self.clock, call).await.map(drop)
    }

    /// Wakes others for what is ready now, but for what somebody here would claim who rests and wants these; whether they were woken for
    /// all of it.
    pub(super) async fn call_others(&self, call: &Call, wants: &[Want]) -> Result<bool> {
        if *call == Call::nobody() {
            return Ok(false);
        }
        self.passed().mark_behind();
        if call.is_for_one_of(wants) {
            return Ok(false);
        }
        self.engine().wake(&self.statements, &self.clock, call).await
    }

    async fn claim_jobs(&self, claim: Claim) -> Result<Batch> {
        if !claim.thorough && !self.passed().is_look_due() {
            let (batch, _) = self.claim_once(&claim, false).await?;
            if batch.again || batch.forgetful || !batch.jobs.is_empty() {
                return Ok(batch);
            }
        }
        let look = self.passed().look(&self.clock);
        let (mut batch, mut turns) = self.claim_once(&claim, false).await?;
        self.passed().looked(look);
        if turns > 0 && !batch.again && !batch.forgetful && batch.jobs.is_empty() {
            // Somebody has locked what should come first; what comes after it needn't wait for him.
            (batch, turns) = self.claim_once(&claim, true).await?;
        }
        if claim.thorough && turns > 0 && batch.jobs.len() >= claim.limit as usize {
            self.wake_next(&batch).await;
        }
        Ok(batch)
    }

    /// Few are woken for many jobs: whoever was and is full now wakes the next. Where that fails the next one's poll finds
    /// the jobs; the claim stands.
    async fn wake_next(&self, batch: &Batch) {
        let mut call = Call::nobody();
        for job in batch.jobs.iter().take(1) {
            call.add(&job.queue, &job.task, 1);
        }
        if let Err(error) = self.call(&call).await {
            tracing::debug!(?error, "the next worker could not be woken");
        }
    }

    /// One claim, and in how many tasks there was something to take.
    async fn claim_once(&self, claim: &Claim, loose: bool) -> Result<(Batch, i64)> {
        let (mut queues, mut tasks, mut caps) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ranks, mut instants, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for want in claim.wants.iter() {
            let (rank, instant, id) = self.passed().key(want);
            queues.push(&*want.queue);
            tasks.push(&*want.task);
            caps.push(i64::from(want.cap));
            ranks.push(rank);
            instants.push(Instant(instant));
            ids.push(id.0);
        }
        let query = self.statements.claim.query().bind(self.lease.0).bind(queues).bind(tasks).bind(caps);
        let query = query.bind(i64::from(claim.limit)).bind(MOST_BYTES).bind(ranks).bind(instants).bind(ids);
        let query = query.bind(self.now()).bind(loose).bind(claim.suspect).bind(i32::from(crash::SUSPECT));
        let (places, groups, rooms) = members(&claim.groups);
        let query = query.bind(places).bind(groups).bind(rooms).bind(self.doubts.load(Ordering::SeqCst));
        let rows = self.engine().rows(query).await?;
        let Batch { jobs, again, all, blocked, forgetful, .. } = read_batch(&rows)?;
        if !loose {
            self.passed().won(&claim.wants, &jobs);
        }
        let (jobs, parked, opens) = self.pass_gates(jobs).await?;
        let batch = Batch { jobs, again: again || parked, all: all && !parked, blocked, opens, forgetful };
        Ok((batch, rows.first().map_or(Ok(0), |row| column(row, 16))?))
    }

    /// What this worker couldn't free.
    pub(super) fn refused(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this worker's claims have passed. The lock is held for a moment, never across a statement.
    pub(super) fn passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gates that are known to exist.
    pub(super) fn known_gates<T>(&self, look: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        look(&mut self.gates.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the next step of pruning begins; from the front where there is nothing to go by.
    pub(super) fn pruned_until(&self) -> Option<Timestamp> {
        *self.pruned_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn prune_from(&self, until: Option<Timestamp>) {
        *self.pruned_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    async fn set_asleep(&self, asleep: Option<Duration>) -> Result<()> {
        let query = self.statements.doze.query().bind(self.lease.0).bind(asleep.map(micros)).bind(self.now());
        self.engine().run(query).await.map(drop)
    }

    async fn leave(&self, idle: bool) -> Result<()> {
        let mut transaction = self.begin_durable().await?;
        self.settle(&mut transaction).await?;
        let freed = if idle { Vec::new() } else { self.release(&mut transaction, &[]).await? };
        let query = self.statements.deregister.query().bind(self.lease.0).bind(self.now());
        query.execute(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        // It has left, whatever becomes of this: others who look for those that are gone do the same, within about a second.
        match within(AFTERWARDS, Box::pin(self.leave_nothing(&freed))).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::debug!(error = error.in_line(), "what a worker had that has left isn't free yet");
            }
            None => tracing::debug!("what a worker had that has left isn't free in time"),
        }
        let _ = within(AFTERWARDS, self.engine().close()).await;
        Ok(())
    }

    /// What it had is others'.
    async fn leave_nothing(&self, freed: &[PgRow]) -> Result<()> {
        let others = async {
            self.call(&call_for(freed)?).await?;
            self.leave_lost(false).await?;
            self.look_again().await
        };
        // Whatever one of them waits for.
        let (reclaimed, others) = tokio::join!(self.reclaim_shares(), others);
        reclaimed.and(others.map(drop))
    }
}

impl Work for PgSession {
    fn lease(&self) -> Lease {
        self.lease
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Batch> {
        Box::pin(self.claim_jobs(claim))
    }

    fn pools(&self) -> Answer<'_, Vec<PoolView>> {
        Box::pin(self.view_pools())
    }

    fn share(&self, asks: Vec<(PoolName, Ask)>) -> Answer<'_, Vec<(PoolName, Portion)>> {
        Box::pin(self.share_pools(asks))
    }

    fn foretell(&self, tokens: Vec<(PoolName, NextToken)>) -> Answer<'_, ()> {
        Box::pin(self.foretell_tokens(tokens))
    }

    fn doze(&self, asleep: Option<Duration>) -> Answer<'_, ()> {
        Box::pin(self.set_asleep(asleep))
    }

    fn advance(&self, advances: Vec<Advance>) -> Answer<'_, Vec<Verdict>> {
        Box::pin(super::advance::advance(self, advances))
    }

    fn finish<'a>(&'a self, ended: &'a [Ended]) -> Answer<'a, Vec<Verdict>> {
        Box::pin(super::finish::finish(self, ended))
    }

    fn release_all_but(&self, kept: Vec<(JobId, u32)>) -> Answer<'_, Reconciled> {
        Box::pin(async move { self.release_others(&kept).await })
    }

    fn unfinished(&self, wants: Arc<[Want]>) -> Answer<'_, bool> {
        Box::pin(async move {
            let (queues, tasks): (Vec<&str>, Vec<&str>) = wants.iter().map(|want| (&*want.queue, &*want.task)).unzip();
            let query = self.statements.unfinished.query().bind(queues).bind(tasks).bind(self.now());
            column(&self.engine().row(query).await?, 0)
        })
    }

    fn attend(&self) -> Answer<'_, Box<dyn Pulse>> {
        Box::pin(async move { Ok(Box::new(PgPulse::open(self).await?) as Box<dyn Pulse>) })
    }

    fn reconnect(&self) {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = engine_link(&links, self.lease, self.synchronous_commit);
        // Nobody waits for those that give no answer to be closed: they are, when their statements are dropped.
        *links = fresh;
    }

    fn deregister(&self, idle: bool) -> Answer<'_, ()> {
        Box::pin(self.leave(idle))
    }
}

/// Each place in a group, the group's number, and its room. The database counts places from 1.
fn members(groups: &[Group]) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let (mut places, mut numbers, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
    for (number, group) in (0..).zip(groups) {
        for place in &group.wants {
            places.push(i64::try_from(*place).unwrap_or(i64::MAX).saturating_add(1));
            numbers.push(number);
            rooms.push(i64::from(group.room));
        }
    }
    (places, numbers, rooms)
}

/// Those who wait for the lanes and tasks of these rows (queue, task).
pub(super) fn call_for(rows: &[PgRow]) -> Result<Call> {
    let mut call = Call::nobody();
    for row in rows {
        call.add(column(row, 0)?, column(row, 1)?, 1);
    }
    Ok(call)
}

fn fingerprint(task: &Declaration) -> i64 {
    let schema = task.schema.as_ref().map(ToString::to_string).unwrap_or_default();
    fnv1a_64([&task.queue, &*task.options.to_string(), &schema]).cast_signed()
}

fn read_batch(rows: &[PgRow]) -> Result<Batch> {
    // There is always a row, which tells how many were locked; without an id it tells nothing else.
    let locked: i64 = rows.first().map_or(Ok(0), |row| column(row, 15))?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(id) = column::<Option<i64>, _>(row, 0)? {
            jobs.push(read_claimed(JobId(id), row)?);
        }
    }
    // The rows come in the order in which they lie.
    jobs.sort_unstable_by_key(|job| (job.priority.rank(), job.run_at, job.id));
    let blocked: Option<Vec<i64>> = rows.first().map_or(Ok(None), |row| column(row, 17))?;
    let blocked = blocked.unwrap_or_default().into_iter().map(|place| unsigned::<_, usize>(place) - 1).collect();
    let forgetful = rows.first().map_or(Ok(false), |row| column(row, 18))?;
    let again = unsigned::<_, usize>(locked) > jobs.len();
    let all = !again && rows.first().map_or(Ok(false), |row| column(row, 19))?;
    Ok(Batch { jobs, again, all, blocked, opens: None, forgetful })
}

/// The headers and extras are read row by row: what another version wrote, or somebody by hand, is a matter of that job and
/// must not hold up the claim.
fn read_claimed(id: JobId, row: &PgRow) -> Result<Claimed> {
    let mut damage = Damage::default();
    let headers = damage.spare("headers", read_headers(row, 11));
    let extra = damage.spare("extra", column::<Option<Json<Extra>>, _>(row, 14));
    Ok(Claimed {
        damage: damage.told(),
        id,
        epoch: unsigned(column::<i32, _>(row, 1)?),
        attempt: unsigned(column::<i16, _>(row, 2)?),
        max_attempts: unsigned(column::<i16, _>(row, 3)?),
        crashes: unsigned(column::<i16, _>(row, 4)?),
        queue: column(row, 5)?,
        task: column(row, 6)?,
        codec: column(row, 7)?,
        priority: Priority::from_rank(column(row, 8)?),
        run_at: instant(row, 9)?,
        created: instant(row, 10)?,
        timeout: extra.as_ref().and_then(|extra| extra.timeout()),
        tick: extra.as_ref().and_then(|extra| extra.tick()),
        limit_keys: extra.map(|extra| extra.0.into_limit_keys()).unwrap_or_default(),
        // Only a first attempt is too late: what has begun may go on.
        expired: column::<Option<bool>, _>(row, 13)?.unwrap_or_default() && column::<i16, _>(row, 2)? == 1,
        headers,
        payload: column(row, 12)?,
    })
}

pub(super) fn read_headers(row: &PgRow, index: usize) -> Result<Headers> {
    Ok(column::<Option<Json<Headers>>, _>(row, index)?.map(|headers| headers.0).unwrap_or_default())
}
