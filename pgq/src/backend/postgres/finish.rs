//! Finishing: what ended for good leaves the hot table, what runs again is put back. Two statements, each whole and
//! fenced by itself; a batch of the common kind needs the first one only.

use std::collections::{HashMap, HashSet};

use pgq_core::{JobId, Lease, NewJob, State, Transition};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use super::advance::Reached;
use super::convert::{Instant, column, database, job_id, micros, unsigned};
use super::enqueue;
use super::namespace::Statements;
use super::session::PgSession;
use super::wake::Call;
use crate::Result;
use crate::backend::{Ended, SOON, Verdict};

pub(super) async fn finish(session: &PgSession, ended: &[Ended]) -> Result<Vec<Verdict>> {
    let claims: Vec<Claim> = ended.iter().map(|ended| (ended.id, ended.epoch)).collect();
    let gated: Vec<Passed> = ended.iter().flat_map(passed).collect();
    let (over, back): (Vec<_>, Vec<_>) = ended.iter().partition(|ended| ended.transition.event().is_final());
    let (followed, over): (Vec<_>, Vec<_>) = over.into_iter().partition(|ended| !ended.follow_ups.is_empty());
    let mut written: Vec<Claim> = Vec::new();
    if !followed.is_empty() {
        written.extend(end_followed(session, &followed).await?);
    }
    let (engine, mut call) = (session.engine(), Call::nobody());
    let mut visit = engine.visit().await?;
    if !over.is_empty() {
        written.extend(end(&session.holder(), &mut visit, &over).await?);
    }
    if !back.is_empty() {
        written.extend(put_back(session, &mut visit, &back, &mut call).await?);
    }
    let verdicts = verdicts(&session.holder(), &mut visit, &claims, &written).await?;
    visit.end().await?;
    session.call(&call).await?;
    if !gated.is_empty() {
        let busy =
            claims.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Busy).map(|(claim, _)| *claim);
        let busy: HashSet<Claim> = busy.collect();
        // Also those that are no longer ours: perhaps their end was written before, and this wasn't reached.
        let left = gated.into_iter().filter(|passed| !busy.contains(&passed.claim)).collect();
        session.leave_gates(left).await?;
    }
    Ok(verdicts)
}

/// That a claim has passed a gate.
pub(super) struct Passed {
    pub(super) claim: Claim,
    pub(super) gate: String,
}

/// The gates that an attempt has passed.
pub(super) fn passed(ended: &Ended) -> impl Iterator<Item = Passed> {
    ended.limit_keys.iter().map(|gate| Passed { claim: (ended.id, ended.epoch), gate: gate.clone() })
}

/// What wasn't written is either no longer ours, or locked by somebody who looks at it just now.
pub(super) async fn verdicts(
    holder: &Holder<'_>,
    connection: &mut PgConnection,
    claims: &[Claim],
    written: &[Claim],
) -> Result<Vec<Verdict>> {
    // Each is written once at most, so these are all of them.
    if written.len() == claims.len() {
        return Ok(vec![Verdict::Written; claims.len()]);
    }
    let written: HashSet<&Claim> = written.iter().collect();
    let mut verdicts: HashMap<Claim, Verdict> = HashMap::new();
    let missing: Vec<_> = claims.iter().filter(|claim| !written.contains(claim)).collect();
    if !missing.is_empty() {
        let ids: Vec<i64> = missing.iter().map(|claim| claim.0.0).collect();
        let epochs: Vec<i32> = missing.iter().map(|claim| claim.1.cast_signed()).collect();
        let query = holder.statements.look.query().bind(holder.lease.0).bind(ids).bind(epochs);
        for row in query.fetch_all(connection).await.map_err(database)? {
            verdicts.insert(claim(&row)?, Verdict::Busy);
        }
    }
    verdicts.extend(written.into_iter().map(|claim| (*claim, Verdict::Written)));
    Ok(claims.iter().map(|claim| verdicts.get(claim).copied().unwrap_or(Verdict::Lost)).collect())
}

/// Whose ends are written, and as of when.
pub(super) struct Holder<'a> {
    pub(super) statements: &'a Statements,
    pub(super) lease: Lease,
    pub(super) now: Option<Instant>,
}

pub(super) async fn end(holder: &Holder<'_>, connection: &mut PgConnection, ended: &[&Ended]) -> Result<Vec<Claim>> {
    let (mut ids, mut epochs, mut states, mut keep) = (vec![], vec![], vec![], vec![]);
    let (mut failures, mut forgotten) = (Failures::default(), Vec::new());
    let reached = Reached::of(ended);
    for ended in ended {
        let span = micros(ended.keep);
        ids.push(ended.id.0);
        epochs.push(ended.epoch.cast_signed());
        states.push(state_number(&ended.transition));
        keep.push(span);
        if span > 0 {
            failures.push(ended);
        } else if ended.epoch > 1 {
            forgotten.push(ended.id.0);
        }
    }
    let query = holder.statements.finish.query().bind(holder.lease.0).bind(ids).bind(epochs).bind(states).bind(keep);
    let query = query.bind(holder.now);
    let query = query
        .bind(failures.ids)
        .bind(failures.kinds)
        .bind(failures.messages)
        .bind(failures.chains)
        .bind(failures.epochs)
        .bind(failures.ran)
        .bind(forgotten)
        .bind(reached.done)
        .bind(reached.totals)
        .bind(failures.ago);
    let row = query.fetch_one(connection).await.map_err(database)?;
    let (ids, epochs): (Vec<i64>, Vec<i32>) = (column(&row, 0)?, column(&row, 1)?);
    Ok(ids.into_iter().map(JobId).zip(epochs.into_iter().map(unsigned)).collect())
}

/// Ends what leaves other jobs behind, in one commit with them; of what is no longer ours nothing is left.
async fn end_followed(session: &PgSession, ended: &[&Ended]) -> Result<Vec<Claim>> {
    let follow_ups = ended.iter().map(|ended| ((ended.id, ended.epoch), &ended.follow_ups));
    let mut follow_ups: HashMap<Claim, &Vec<NewJob>> = follow_ups.collect();
    let (statements, clock) = (&session.statements, &session.clock);
    // The jobs are new, and their existence was promised.
    let mut transaction = session.begin_durable().await?;
    let written = end(&session.holder(), &mut transaction, ended).await?;
    let (mut parents, mut jobs) = (Vec::new(), Vec::new());
    for claim in &written {
        let left = follow_ups.remove(claim).cloned().unwrap_or_default();
        parents.extend(left.iter().map(|_| claim.0));
        jobs.extend(left);
    }
    let call = Call::for_jobs(&jobs, clock);
    let enqueued = enqueue::run(&mut transaction, statements, clock, jobs, &Call::nobody()).await?;
    transaction.commit().await.map_err(database)?;
    for (parent, enqueued) in parents.into_iter().zip(enqueued) {
        enqueued.warn_of_rejection(parent);
    }
    session.call(&call).await?;
    Ok(written)
}

/// Who is to be woken once it stands is added to `call`.
async fn put_back(
    session: &PgSession,
    connection: &mut PgConnection,
    ended: &[&Ended],
    call: &mut Call,
) -> Result<Vec<Claim>> {
    let (mut ids, mut epochs, mut delays, mut refunds, mut retrying) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut failures, reached) = (Failures::default(), Reached::of(ended));
    for ended in ended {
        let failed = ended.transition.failure().is_some();
        ids.push(ended.id.0);
        epochs.push(ended.epoch.cast_signed());
        delays.push(ended.transition.delay().map(micros));
        refunds.push(i16::from(!failed));
        retrying.push(failed);
        failures.push(ended);
    }
    let query = session.statements.put_back.query().bind(session.lease.0).bind(ids).bind(epochs).bind(delays);
    let query = query.bind(refunds).bind(retrying).bind(session.now());
    let query = query
        .bind(failures.ids)
        .bind(failures.kinds)
        .bind(failures.messages)
        .bind(failures.chains)
        .bind(failures.epochs)
        .bind(failures.ran)
        .bind(reached.done)
        .bind(reached.totals)
        .bind(failures.ago);
    let rows = query.fetch_all(connection).await.map_err(database)?;
    for row in &rows {
        let (ready, delay): (bool, Option<i64>) = (column(row, 4)?, column(row, 5)?);
        if ready {
            call.add(column(row, 2)?, column(row, 3)?, 1);
            session.passed().mark_behind();
        } else if delay.is_some_and(|delay| delay <= micros(SOON)) {
            call.add_soon(column(row, 2)?, column(row, 3)?);
        }
    }
    rows.iter().map(claim).collect()
}

/// One claim of a job.
type Claim = (JobId, u32);

pub(super) fn claim(row: &PgRow) -> Result<Claim> {
    Ok((job_id(row)?, unsigned(column::<i32, _>(row, 1)?)))
}

/// The number of a final state: its place in the order of states.
fn state_number(transition: &Transition) -> i16 {
    match State::Running.after(transition.event()) {
        Some(State::Completed) => 4,
        Some(State::Cancelled) => 5,
        _ => 6,
    }
}

/// Failures turned on their side: an array for each column.
#[derive(Default)]
struct Failures {
    ids: Vec<i64>,
    epochs: Vec<i32>,
    kinds: Vec<&'static str>,
    messages: Vec<String>,
    chains: Vec<Json<Vec<String>>>,
    ran: Vec<i64>,
    ago: Vec<i64>,
}

impl Failures {
    fn push(&mut self, ended: &Ended) {
        if let Transition::Retry { failure, .. } | Transition::Discard { failure } | Transition::Cancel { failure } =
            &ended.transition
        {
            self.ids.push(ended.id.0);
            self.epochs.push(ended.epoch.cast_signed());
            self.kinds.push(failure.kind().as_str());
            self.messages.push(failure.message().to_owned());
            self.chains.push(Json(failure.chain().to_vec()));
            self.ran.push(micros(ended.ran));
            self.ago.push(micros(ended.ago));
        }
    }
}
