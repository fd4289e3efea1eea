//! Waking workers that sleep: who is meant, and how many.

use std::collections::BTreeSet;
use std::time::Duration;

use pgq_core::{NewJob, When};
use sqlx::{PgConnection, Postgres, Transaction, raw_sql};

use super::convert::{Instant, database, unsigned};
use super::namespace::{Statements, fnv1a_64};
use crate::Result;
use crate::backend::{Notice, SOON, Want};
use crate::platform::{Clock, within};

/// An instant is compared by this process's clock, which may differ from the database's by so much; to wake somebody in
/// vain is harmless.
const SKEW: Duration = Duration::from_mins(1);
/// Who enqueued within that time, while nobody slept when it began, wakes nobody: a worker that has fallen asleep meanwhile looks
/// once more after twice that time.
pub(super) const IN_FLIGHT: Duration = Duration::from_millis(50);
/// One worker is woken for so many jobs; where they fill it, it finds more and others wake at their next look.
const JOBS_PER_WORKER: usize = 16;
/// What there is to do stands by then, so nobody waits for longer: who isn't woken looks within about a second.
const PATIENCE: Duration = Duration::from_secs(1);

/// The hash of a lane and task, by which sleepers say what they want: FNV-1a, folded to the 32 bits of an `int`.
pub(super) fn hash(queue: &str, task: &str) -> i32 {
    let hash = fnv1a_64([queue, task]);
    #[expect(clippy::cast_possible_truncation, reason = "folding takes the halves")]
    let folded = (hash >> 32) as u32 ^ hash as u32;
    folded.cast_signed()
}

/// What the payload of a notification says.
pub(super) fn notice(payload: &str) -> Notice {
    let says = |letter| payload.contains(letter);
    Notice { work: says('w'), soon: says('s'), told: says('c'), limits: says('l') }
}

/// Whom to wake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    hashes: BTreeSet<i32>,
    jobs: usize,
    notice: Notice,
    /// It is only asked who sleeps.
    asking: bool,
}

impl Call {
    /// Nobody.
    pub(super) fn nobody() -> Self {
        Self::default()
    }

    /// Those who may run what of these is due soon.
    pub(super) fn for_jobs(jobs: &[NewJob], clock: &Clock) -> Self {
        let mut call = Self::nobody();
        for job in jobs {
            match job.when {
                When::Now | When::After(Duration::ZERO) => call.add(&job.queue, &job.task, 1),
                When::After(delay) if delay <= SOON => call.add_soon(&job.queue, &job.task),
                When::At(instant) if instant <= clock.now().saturating_add(SOON + SKEW) => {
                    call.add(&job.queue, &job.task, 1);
                    call.add_soon(&job.queue, &job.task);
                }
                When::After(_) | When::At(_) => {}
            }
        }
        call
    }

    /// The same without waking anybody: it is answered whether somebody sleeps.
    pub(super) fn asking(&self) -> Self {
        Self { asking: true, ..self.clone() }
    }

    /// Whether it is for nothing but jobs that may run now.
    pub(super) fn is_for_work(&self) -> bool {
        self.notice == Notice { work: true, ..Notice::default() }
    }

    /// For so many jobs that may run.
    pub(super) fn add(&mut self, queue: &str, task: &str, jobs: usize) {
        self.hashes.insert(hash(queue, task));
        self.jobs += jobs;
        self.notice.work = true;
    }

    /// For a job that is due soon.
    pub(super) fn add_soon(&mut self, queue: &str, task: &str) {
        self.hashes.insert(hash(queue, task));
        self.jobs += 1;
        self.notice.soon = true;
    }

    /// Whether it is for a single job of one of these.
    pub(super) fn is_for_one_of(&self, wants: &[Want]) -> bool {
        let is_meant = |want: &Want| want.cap > 0 && self.hashes.contains(&hash(&want.queue, &want.task));
        self.jobs == 1 && self.is_for_work() && wants.iter().any(is_meant)
    }

    /// How many jobs it is for.
    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.hashes.extend(&other.hashes);
        self.jobs += other.jobs;
        self.notice = self.notice.and(other.notice);
    }

    /// What the notice says: a letter for each thing to look at.
    pub(super) fn payload(&self) -> &'static str {
        match self.notice {
            Notice { work: true, soon: true, .. } => "ws",
            Notice { work: false, soon: true, .. } => "s",
            Notice { soon: false, .. } => "w",
        }
    }

    pub(super) fn hashes(&self) -> Vec<i32> {
        self.hashes.iter().copied().collect()
    }

    pub(super) fn workers(&self) -> i64 {
        if self.asking {
            return 0;
        }
        i64::try_from(self.jobs.div_ceil(JOBS_PER_WORKER)).unwrap_or(i64::MAX)
    }
}

/// Wakes them, after the commit of what there is to do; whether there were as many as that is for.
pub(super) async fn wake(
    connection: &mut PgConnection,
    statements: &Statements,
    clock: &Clock,
    call: &Call,
) -> Result<bool> {
    if call.hashes.is_empty() {
        return Ok(false);
    }
    let query = statements.wake.query().bind(call.hashes()).bind(call.workers()).bind(clock.fixed().map(Instant));
    let query = query.bind(call.payload());
    let woken = query.execute(connection).await.map_err(database)?.rows_affected();
    Ok(woken >= unsigned(call.workers()))
}

/// Commits, and wakes them on the same connection: a full server has no other one, and its pool would wait for that for as long as
/// it may, and the caller with it.
pub(super) async fn commit_and_wake(
    mut transaction: Transaction<'static, Postgres>,
    statements: &Statements,
    clock: &Clock,
    call: &Call,
) -> Result<()> {
    if *call == Call::nobody() {
        return transaction.commit().await.map_err(database);
    }
    raw_sql("commit; begin").execute(&mut *transaction).await.map_err(database)?;
    let woken = async {
        wake(&mut transaction, statements, clock, call).await?;
        transaction.commit().await.map_err(database)
    };
    shortly(woken).await;
    Ok(())
}

/// What stands is no failure where nobody was woken for it.
pub(super) async fn shortly<T>(woken: impl Future<Output = Result<T>>) {
    match within(PATIENCE, woken).await {
        Some(Ok(_)) => {}
        Some(Err(error)) => tracing::debug!(?error, "nobody was woken for what there is to do"),
        None => tracing::debug!("nobody was woken in time for what there is to do"),
    }
}
