//! Where gates stand by the rates of their limits, as rows say it.

use std::time::Duration;

use pgq_core::Rate;
use pgq_core::limit::gate::Gate;
use pgq_core::limit::pace::Paces;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::convert::{Instant, column, database, instant, unsigned};
use super::finish::Holder;
use crate::Result;

/// What a row says of gates: when they are at rest, and by which rate.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) rest: Vec<Instant>,
    pub(super) clear: Vec<Instant>,
    pub(super) pace: Vec<i64>,
}

impl Counts {
    pub(super) fn add(&mut self, gate: Gate) {
        self.rest.push(Instant(gate.rest));
        self.clear.push(Instant(gate.clear));
        self.pace.push(gate.pace.cast_signed());
    }
}

/// Writes down gates, which are locked, as they stand under another rate.
pub(super) async fn recount_gates(
    holder: &Holder<'_>,
    connection: &mut PgConnection,
    recounted: impl IntoIterator<Item = (String, Gate)>,
) -> Result<()> {
    let (mut names, mut counts) = (vec![], Counts::default());
    for (name, gate) in recounted {
        names.push(name);
        counts.add(gate);
    }
    if names.is_empty() {
        return Ok(());
    }
    let query =
        holder.statements.recount_gates.query().bind(names).bind(counts.rest).bind(counts.clear).bind(counts.pace);
    query.execute(connection).await.map(drop).map_err(database)
}

/// A gate as it stands by the rate that is in force.
pub(super) fn read_gate(row: &PgRow, rate: Option<Rate>) -> Result<Gate> {
    let running = unsigned(column::<i64, _>(row, 4)?);
    let counted = Gate { running, rest: instant(row, 5)?, clear: instant(row, 8)?, pace: number(row, 9)? };
    Ok(counted.follow(&read_paces(row)?, rate))
}

fn number(row: &PgRow, at: usize) -> Result<u64> {
    Ok(column::<i64, _>(row, at)?.cast_unsigned())
}

/// The rates that its limit has had since it was counted, if it is counted by another one.
fn read_paces(row: &PgRow) -> Result<Paces> {
    let intervals: Vec<i64> = column::<Option<_>, _>(row, 11)?.unwrap_or_default();
    let ends: Vec<Instant> = column::<Option<_>, _>(row, 12)?.unwrap_or_default();
    let past = intervals.into_iter().zip(ends).map(|(nanos, until)| (Duration::from_nanos(unsigned(nanos)), until.0));
    Ok(Paces::of(read_pace(row)?, past.collect()))
}

/// The number of its limit's pace, also where the gate has a rate of its own or the limit none.
pub(super) fn read_pace(row: &PgRow) -> Result<u64> {
    number(row, 10)
}
