//! How far attempts come: told while they run, and with their ends.

use pgq_core::JobId;

use super::finish::{claim, verdicts};
use super::session::PgSession;
use crate::Result;
use crate::backend::{Advance, Ended, Steps, Verdict};

pub(super) async fn advance(session: &PgSession, advances: Vec<Advance>) -> Result<Vec<Verdict>> {
    let claims: Vec<(JobId, u32)> = advances.iter().map(|advance| (advance.id, advance.epoch)).collect();
    let (ids, epochs): (Vec<_>, Vec<_>) = claims.iter().map(|claim| (claim.0.0, claim.1.cast_signed())).unzip();
    let Reached { done, totals } = advances.iter().map(|advance| Some(advance.steps)).collect();
    let query = session.statements.advance.query().bind(session.lease.0).bind(ids).bind(epochs);
    let query = query.bind(done).bind(totals).bind(session.now());
    let engine = session.engine();
    let mut visit = engine.visit().await?;
    let rows = query.fetch_all(&mut *visit).await.map_err(super::database)?;
    let written = rows.iter().map(claim).collect::<Result<Vec<_>>>()?;
    let verdicts = verdicts(&session.holder(), &mut visit, &claims, &written).await?;
    visit.end().await?;
    Ok(verdicts)
}

/// Steps turned on their side: an array for each column.
pub(super) struct Reached {
    pub(super) done: Vec<Option<i64>>,
    pub(super) totals: Vec<Option<i64>>,
}

impl Reached {
    /// Empty where there is nothing to say of any, which is nearly always.
    pub(super) fn of(ended: &[&Ended]) -> Self {
        let is_silent = ended.iter().all(|ended| ended.steps.is_none());
        let ended = if is_silent { &[] } else { ended };
        ended.iter().map(|ended| ended.steps).collect()
    }
}

impl FromIterator<Option<Steps>> for Reached {
    fn from_iter<I: IntoIterator<Item = Option<Steps>>>(steps: I) -> Self {
        let columns = |steps: Option<Steps>| {
            (steps.map(|steps| steps.done().cast_signed()), steps.map(|steps| steps.total().cast_signed()))
        };
        let (done, totals) = steps.into_iter().map(columns).unzip();
        Self { done, totals }
    }
}
