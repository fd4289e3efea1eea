//! What any worker does for all. There is no leader: whoever gets the lock or the row does the step.

use std::sync::Arc;
use std::time::Duration;

use pgq_core::{Failure, JobId, Lease, Timestamp, crash};
use sqlx::postgres::PgRow;

use super::convert::{Instant, column, database, instant, job_id, micros, unsigned};
use super::gates::read_post;
use super::link::undone;
use super::operate::cancel;
use super::paces::recount_gates;
use super::refused::Chore;
use super::schedule::agenda;
use super::session::PgSession;
use super::wake::Call;
use super::witness::Word;
use crate::Result;
use crate::backend::vigil::{Beat, Look};
use crate::backend::{
    Agenda, Answer, Declared, Discarded, Firing, GATE_AGE, Lost, Maintain, Promoted, Pruned, Rescued, Want,
};

/// How often the fleet looks for leases for which no worker answers: that reads all jobs.
const SWEEP: Duration = Duration::from_mins(1);
/// How often it looks for what is old.
const PRUNE: Duration = Duration::from_mins(1);

impl PgSession {
    async fn promote_step(&self, step: u32, wants: &[Want]) -> Result<Promoted> {
        let rows = self.promote_due(step).await?;
        let (mut call, mut moved, mut next, mut opens) = (Call::nobody(), 0, None, None);
        for row in &rows {
            if let Some(queue) = column::<Option<&str>, _>(row, 0)? {
                let jobs: u32 = unsigned(column::<i64, _>(row, 2)?);
                call.add(queue, column(row, 1)?, unsigned(jobs));
                moved += jobs;
            }
            next = column::<Option<i64>, _>(row, 3)?.map(|micros| Duration::from_micros(unsigned(micros)));
            opens = column::<Option<i64>, _>(row, 4)?.map(|micros| Duration::from_micros(unsigned(micros.max(0))));
        }
        let heard = self.call_others(&call, wants).await?;
        let gates = self.open_gates(step, opens, if moved == 0 { wants } else { &[] }).await?;
        let heard = (heard || moved == 0) && (gates.heard || gates.moved == 0);
        let next = next.into_iter().chain(gates.next).min();
        Ok(Promoted { moved: moved + gates.moved, heard: heard && moved + gates.moved > 0, next, ..gates })
    }

    /// Makes due jobs available. One that the database refuses to change holds up no other.
    async fn promote_due(&self, step: u32) -> Result<Vec<PgRow>> {
        match self.promote_some(step, None).await {
            Err(error) if error.is_refusal() => {
                let refused = self.aside(Chore::Promote);
                let due = self.statements.promotable.query().bind(i64::from(step)).bind(refused).bind(self.now());
                self.apart(Chore::Promote, error, due, |part| self.promote_some(step, Some(part))).await
            }
            promoted => promoted,
        }
    }

    /// Of these only, if there are any named.
    async fn promote_some(&self, step: u32, only: Option<Vec<i64>>) -> Result<Vec<PgRow>> {
        let lock = self.statements.namespace.lock("promote");
        let query = self.statements.promote.query().bind(most(step, only.as_ref())).bind(self.now()).bind(lock);
        self.engine().rows(query.bind(only).bind(self.aside(Chore::Promote))).await
    }

    /// How many are gone, how long until the next one may be, and whether anything of them is left to settle. Nobody declares
    /// himself gone: after a pause of the whole process the next beat is as near as this.
    async fn declare_gone(&self) -> Result<(u32, Option<Duration>, bool)> {
        let Word::Of(within) = self.witness.word() else { return Ok((0, None, true)) };
        let asked = self.clock.mark();
        let rows = self.engine().rows(self.statements.beats.query().bind(self.lease.0).bind(self.now())).await?;
        let Some(first) = rows.first() else { return Ok((0, None, true)) };
        let (now, server, left) = (instant(first, 3)?, instant(first, 4)?, column(first, 5)?);
        let beats = rows.iter().map(read_beat).filter_map(Result::transpose).collect::<Result<_>>()?;
        self.vigil.look(Look { asked, now, server, beats }, &self.clock);
        let (over, next) = (self.vigil.over(within), self.vigil.next(within));
        let gone = if over.is_empty() { 0 } else { self.declare_over(over).await? };
        Ok((gone, next, left || gone > 0))
    }

    async fn declare_over(&self, over: Vec<(Lease, Timestamp)>) -> Result<u32> {
        let (leases, beats): (Vec<_>, Vec<_>) = over.into_iter().map(|(lease, beat)| (lease.0, Instant(beat))).unzip();
        let query = self.statements.declare_lost.query().bind(leases).bind(beats).bind(self.now());
        Ok(unsigned(self.engine().rows(query).await?.len()))
    }

    async fn rescue_step(&self, step: u32) -> Result<Rescued> {
        let (gone, next, left) = self.declare_gone().await?;
        if !left {
            return Ok(Rescued { next, ..Rescued::default() });
        }
        let freed = self.free(step).await?;
        if !freed.is_empty() {
            // They are as old as they were when somebody claimed them.
            self.passed().mark_behind();
        }
        let (mut call, mut discarded, mut lost) = (Call::nobody(), Vec::new(), Vec::new());
        for row in &freed {
            let (ready, over): (bool, bool) = (column(row, 2)?, column(row, 4)?);
            if ready {
                call.add(column(row, 0)?, column(row, 1)?, 1);
            }
            lost.push(lost_job(row)?);
            if over {
                discarded.push(given_up(row)?);
            }
        }
        // What was freed stands, and is told whatever becomes of this: the next step does it again.
        if let Err(error) = self.settle_lost(&call).await {
            tracing::warn!(?error, "what else workers that are gone had isn't free yet");
        }
        Ok(Rescued { gone, freed: unsigned(freed.len()), lost, discarded, next })
    }

    /// Frees jobs of workers that are gone. One that the database refuses to free holds up no other.
    async fn free(&self, step: u32) -> Result<Vec<PgRow>> {
        match self.free_some(step, None).await {
            Err(error) if error.is_refusal() => {
                let refused = self.aside(Chore::Free);
                let held = self.statements.freeable.query().bind(i64::from(step)).bind(refused);
                self.apart(Chore::Free, error, held, |part| self.free_some(step, Some(part))).await
            }
            freed => freed,
        }
    }

    /// Of these only, if there are any named.
    async fn free_some(&self, step: u32, only: Option<Vec<i64>>) -> Result<Vec<PgRow>> {
        let mut transaction = self.begin_durable().await?;
        let query = self.statements.free.query().bind(i64::from(step)).bind(self.now());
        let query = query.bind(i32::from(crash::SUSPECT)).bind(i32::from(crash::MOST)).bind(micros(crash::PAUSE));
        let query = query.bind(only).bind(self.aside(Chore::Free));
        let freed = match query.fetch_all(&mut *transaction).await {
            Ok(freed) => freed,
            Err(error) => return Err(undone(transaction, error).await),
        };
        if freed.is_empty() {
            // Where somebody has left a gate who was to look there, nobody else does soon.
            let query = self.statements.far_gates.query().bind(self.now()).bind(true);
            query.execute(&mut *transaction).await.map_err(database)?;
            let query = self.statements.mark_freed.query().bind(self.now());
            query.execute(&mut *transaction).await.map_err(database)?;
        }
        transaction.commit().await.map_err(database)?;
        Ok(freed)
    }

    /// What workers that are gone had besides their jobs.
    async fn settle_lost(&self, call: &Call) -> Result<()> {
        // Each whatever becomes of the others.
        let told = self.call(call).await;
        let (left, reclaimed) = (self.leave_lost(false).await, self.reclaim_shares().await);
        told.and(left).and(reclaimed).and(self.cancel_untold().await)
    }

    /// A wish to cancel a running job outlives the worker that was told and died, and who looks for it: it goes when somebody has
    /// done what it asks for.
    async fn cancel_untold(&self) -> Result<()> {
        let untold = self.engine().rows(self.statements.untold.query().bind(self.aside(Chore::Cancel))).await?;
        for row in &untold {
            let (worker, job, epoch): (i64, i64, i32) = (column(row, 0)?, column(row, 1)?, column(row, 2)?);
            let ids = vec![JobId(job)];
            match cancel(&self.engine(), &self.statements, &self.clock, ids, column(row, 3)?).await {
                Err(error) if error.is_refusal() => self.set_aside(Chore::Cancel, job, &error),
                Err(error) => return Err(error),
                Ok(_) => {
                    let query = self.statements.fulfil.query().bind(worker).bind(job).bind(epoch);
                    self.engine().run(query).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether nobody has done it for so long, and it is this worker's now.
    async fn take_chore(&self, name: &str, apart: Duration) -> Result<bool> {
        let query = self.statements.take_chore.query().bind(name).bind(micros(apart)).bind(self.now());
        Ok(!self.engine().rows(query).await?.is_empty())
    }

    async fn sweep_leases(&self) -> Result<u32> {
        if !self.take_chore("sweep", SWEEP).await? {
            return Ok(0);
        }
        let mut transaction = self.begin_durable().await?;
        let query = self.statements.sweep.query().bind(self.now());
        let strays = query.fetch_all(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        Ok(unsigned(strays.len()))
    }

    async fn expire_step(&self, step: u32) -> Result<Vec<Discarded>> {
        let failure = Failure::expired();
        let rows = match self.expire_some(step, None).await {
            Err(error) if error.is_refusal() => {
                let refused = self.aside(Chore::Expire);
                let late = self.statements.expirable.query().bind(i64::from(step)).bind(refused).bind(self.now());
                self.apart(Chore::Expire, error, late, |part| self.expire_some(step, Some(part))).await?
            }
            expired => expired?,
        };
        let discarded = |row: &PgRow| {
            let attempt: i16 = column(row, 2)?;
            Ok(Discarded::new(job_id(row)?, column(row, 1)?, attempt.unsigned_abs(), failure.clone()))
        };
        rows.iter().map(discarded).collect()
    }

    /// Of these only, if there are any named.
    async fn expire_some(&self, step: u32, only: Option<Vec<i64>>) -> Result<Vec<PgRow>> {
        let query = self.statements.expire.query().bind(most(step, only.as_ref())).bind(self.now());
        let query = query.bind(Failure::expired().message()).bind(only).bind(self.aside(Chore::Expire));
        self.engine().rows(query).await
    }

    async fn tidy_up(&self) -> Result<bool> {
        // Passes whose attempts have ended while that couldn't be said: of whoever has stood before no gate there are none.
        if !self.known_gates(|known| known.is_empty()) {
            self.leave_lost(true).await?;
        }
        self.take_chore("prune", PRUNE).await
    }

    async fn prune_step(&self, step: u32) -> Result<Pruned> {
        if self.pruned_until().is_none() {
            self.engine().run(self.statements.far_gates.query().bind(self.now()).bind(false)).await?;
        }
        self.engine().run(self.statements.forget_workers.query().bind(self.now())).await?;
        let (mut rows, mut until) = (0, None);
        for row in self.prune_old(step).await? {
            rows += unsigned::<_, u64>(column::<i64, _>(&row, 0)?);
            until = until.max(column::<Option<Instant>, _>(&row, 1)?.map(|until| until.0));
        }
        // After the last step the next one begins from the front, where somebody may have had rows locked.
        self.prune_from(until.filter(|_| rows >= u64::from(step)));
        let (gates, looked) = self.prune_gates(step).await?;
        rows += gates;
        Ok(Pruned { rows, more: rows.max(looked) >= u64::from(step) })
    }

    /// Deletes what is old. One job that the database refuses to delete holds up no other.
    async fn prune_old(&self, step: u32) -> Result<Vec<PgRow>> {
        match self.prune_some(step, None).await {
            Err(error) if error.is_refusal() => {
                let refused = self.aside(Chore::Prune);
                let old = self.statements.prunable.query().bind(i64::from(step)).bind(refused).bind(self.now());
                self.apart(Chore::Prune, error, old, |part| self.prune_some(step, Some(part))).await
            }
            pruned => pruned,
        }
    }

    /// Of these only, if there are any named.
    async fn prune_some(&self, step: u32, only: Option<Vec<i64>>) -> Result<Vec<PgRow>> {
        // Of those that are named some may lie before that.
        let until = self.pruned_until().filter(|_| only.is_none()).map(Instant);
        let query = self.statements.prune.query().bind(most(step, only.as_ref())).bind(self.now()).bind(until);
        self.engine().rows(query.bind(only).bind(self.aside(Chore::Prune))).await
    }

    /// Whoever stands before a gate puts it in if there is none, so one that is at rest may go at any time. Who has parked somebody
    /// there since it was picked has said when it opens, or is seen by the second statement. How many go, of how many.
    async fn prune_gates(&self, step: u32) -> Result<(u64, u64)> {
        let mut transaction = self.engine().begin().await?;
        let query = self.statements.idle_gates.query().bind(i64::from(step)).bind(self.now()).bind(micros(GATE_AGE));
        let idle = query.fetch_all(&mut *transaction).await.map_err(database)?;
        if idle.is_empty() {
            return Ok((0, 0));
        }
        let (mut at_rest, mut others) = (Vec::new(), Vec::new());
        for row in &idle {
            let (name, post, now) = read_post(row)?;
            if post.gate.is_at_rest(now) {
                at_rest.push(name);
            } else {
                others.push((name, post.gate));
            }
        }
        // They lack something by another rate than they were counted by, and stand in nobody's way as soon as that is written down.
        recount_gates(&self.holder(), &mut transaction, others).await?;
        let query = self.statements.prune_gates.query().bind(at_rest);
        let pruned = query.execute(&mut *transaction).await.map_err(database)?.rows_affected();
        transaction.commit().await.map_err(database)?;
        Ok((pruned, unsigned(idle.len())))
    }
}

impl Maintain for PgSession {
    fn promote_beside(&self, step: u32, wants: Arc<[Want]>) -> Answer<'_, Promoted> {
        Box::pin(async move { self.promote_step(step, &wants).await })
    }

    fn rescue(&self, step: u32) -> Answer<'_, Rescued> {
        Box::pin(self.rescue_step(step))
    }

    fn sweep(&self) -> Answer<'_, u32> {
        Box::pin(self.sweep_leases())
    }

    fn tidy(&self) -> Answer<'_, bool> {
        Box::pin(self.tidy_up())
    }

    fn expire(&self, step: u32) -> Answer<'_, Vec<Discarded>> {
        Box::pin(self.expire_step(step))
    }

    fn prune(&self, step: u32) -> Answer<'_, Pruned> {
        Box::pin(self.prune_step(step))
    }

    fn declare(&self, declared: Declared) -> Answer<'_, i64> {
        Box::pin(self.declare_all(declared))
    }

    fn prune_schedules(&self, grace: Duration) -> Answer<'_, Vec<String>> {
        Box::pin(self.prune_orphaned(grace))
    }

    fn agenda(&self) -> Answer<'_, Agenda> {
        Box::pin(async move { agenda(&self.engine(), &self.statements, &self.clock, false).await })
    }

    fn fire(&self, firings: Vec<Firing>) -> Answer<'_, Vec<bool>> {
        Box::pin(self.fire_ticks(firings))
    }
}

/// How many rows a statement looks for: an index isn't walked past those that are named.
fn most(step: u32, only: Option<&Vec<i64>>) -> i64 {
    only.map_or_else(|| i64::from(step), |only| i64::try_from(only.len()).unwrap_or(i64::MAX))
}

fn read_beat(row: &PgRow) -> Result<Option<Beat>> {
    let Some(lease) = column::<Option<i64>, _>(row, 0)? else { return Ok(None) };
    let span = Duration::from_micros(unsigned(column::<i64, _>(row, 2)?));
    Ok(Some(Beat { lease: Lease(lease), at: instant(row, 1)?, span }))
}

fn lost_job(row: &PgRow) -> Result<Lost> {
    let (id, lease) = (JobId(column(row, 3)?), Lease(column(row, 7)?));
    Ok(Lost { id, task: column(row, 1)?, lease, worker: column(row, 6)? })
}

/// A job whose workers died with it too often.
fn given_up(row: &PgRow) -> Result<Discarded> {
    let (attempt, holder): (i16, String) = (column(row, 5)?, column(row, 6)?);
    let failure = crash::failure(&holder);
    Ok(Discarded::new(JobId(column(row, 3)?), column(row, 1)?, attempt.unsigned_abs(), failure))
}
