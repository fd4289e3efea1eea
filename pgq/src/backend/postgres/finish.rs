//! Finishing: what ended for good leaves the hot table, what runs again is put back. Two statements, each whole and
//! fenced by itself; a batch of the common kind needs the first one only.

use std::collections::{HashMap, HashSet};

use pgq_core::{Failure, JobId, State, Transition};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::convert::{column, database, job_id, micros};
use super::session::PgSession;
use super::wake::{Call, wake};
use crate::Result;
use crate::backend::{Ended, Verdict};

pub(super) async fn finish(session: &PgSession, ended: Vec<Ended>) -> Result<Vec<Verdict>> {
    let claims: Vec<(JobId, u32)> = ended.iter().map(|ended| (ended.id, ended.epoch)).collect();
    let (over, back): (Vec<_>, Vec<_>) = ended.into_iter().partition(|ended| ended.transition.event().is_final());
    let mut connection = session.engine.acquire().await.map_err(database)?;
    let mut written = HashSet::with_capacity(claims.len());
    if !over.is_empty() {
        written.extend(end(session, &mut connection, over).await?);
    }
    if !back.is_empty() {
        written.extend(put_back(session, &mut connection, back).await?);
    }
    verdicts(session, &mut connection, &claims, &written).await
}

/// What wasn't written is either no longer ours, or locked by somebody who looks at it just now.
async fn verdicts(
    session: &PgSession,
    connection: &mut PgConnection,
    claims: &[(JobId, u32)],
    written: &HashSet<JobId>,
) -> Result<Vec<Verdict>> {
    let mut verdicts: HashMap<JobId, Verdict> = HashMap::new();
    let missing: Vec<_> = claims.iter().filter(|claim| !written.contains(&claim.0)).collect();
    if !missing.is_empty() {
        let ids: Vec<i64> = missing.iter().map(|claim| claim.0.0).collect();
        let epochs: Vec<i32> = missing.iter().map(|claim| claim.1.cast_signed()).collect();
        let query = session.statements.look.query().bind(session.lease.0).bind(ids).bind(epochs);
        for row in query.fetch_all(connection).await.map_err(database)? {
            verdicts.insert(job_id(&row)?, Verdict::Busy);
        }
    }
    verdicts.extend(written.iter().map(|id| (*id, Verdict::Written)));
    Ok(claims.iter().map(|(id, _)| verdicts.get(id).copied().unwrap_or(Verdict::Lost)).collect())
}

async fn end(session: &PgSession, connection: &mut PgConnection, ended: Vec<Ended>) -> Result<Vec<JobId>> {
    let (mut ids, mut epochs, mut states, mut keep) = (vec![], vec![], vec![], vec![]);
    let mut failures = Failures::default();
    for Ended { id, epoch, transition, keep: span } in ended {
        ids.push(id.0);
        epochs.push(epoch.cast_signed());
        states.push(state_number(&transition));
        keep.push(micros(span));
        failures.push(id, transition);
    }
    let query = session.statements.finish.query().bind(session.lease.0).bind(ids).bind(epochs).bind(states).bind(keep);
    let query = query.bind(session.now());
    let query = query.bind(failures.ids).bind(failures.kinds).bind(failures.messages).bind(failures.chains);
    query.fetch_all(connection).await.map_err(database)?.iter().map(job_id).collect()
}

async fn put_back(session: &PgSession, connection: &mut PgConnection, ended: Vec<Ended>) -> Result<Vec<JobId>> {
    let (mut ids, mut epochs, mut delays, mut refunds, mut retrying) = (vec![], vec![], vec![], vec![], vec![]);
    let mut failures = Failures::default();
    for Ended { id, epoch, transition, .. } in ended {
        let failed = transition.failure().is_some();
        ids.push(id.0);
        epochs.push(epoch.cast_signed());
        delays.push(transition.delay().map(micros));
        refunds.push(i16::from(!failed));
        retrying.push(failed);
        failures.push(id, transition);
    }
    let query = session.statements.put_back.query().bind(session.lease.0).bind(ids).bind(epochs).bind(delays);
    let query = query.bind(refunds).bind(retrying).bind(session.now());
    let query = query.bind(failures.ids).bind(failures.kinds).bind(failures.messages).bind(failures.chains);
    let rows = query.fetch_all(&mut *connection).await.map_err(database)?;
    let mut call = Call::nobody();
    for row in &rows {
        let (ready, soon) = (column(row, 3)?, column(row, 4)?);
        if ready {
            call.add(column(row, 1)?, column(row, 2)?, 1);
            session.passed().mark_behind();
        } else if soon {
            call.add_soon(column(row, 1)?, column(row, 2)?);
        }
    }
    wake(connection, &session.statements, &session.clock, &call).await?;
    rows.iter().map(job_id).collect()
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
    kinds: Vec<&'static str>,
    messages: Vec<String>,
    chains: Vec<Json<Vec<String>>>,
}

impl Failures {
    fn push(&mut self, id: JobId, transition: Transition) {
        if let Transition::Retry { failure, .. } | Transition::Discard { failure } | Transition::Cancel { failure } =
            transition
        {
            self.add(id, &failure);
        }
    }

    fn add(&mut self, id: JobId, failure: &Failure) {
        self.ids.push(id.0);
        self.kinds.push(failure.kind().as_str());
        self.messages.push(failure.message().to_owned());
        self.chains.push(Json(failure.chain().to_vec()));
    }
}
