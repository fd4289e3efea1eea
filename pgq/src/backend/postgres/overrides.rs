//! Limits as operators see and set them.

use std::collections::BTreeMap;
use std::time::Duration;

use pgq_core::limit::gatehouse::Post;
use pgq_core::{Lease, Timestamp};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::Postgres;
use super::convert::{Instant, column, database, unsigned};
use super::finish::Holder;
use super::gate_looks::look_patiently;
use super::gates::{CUT_OFF, read_post};
use super::limit::{Books, columns, read_bounds, read_measure};
use super::opening::Unopened;
use super::paces::{read_pace, recount_gates};
use super::schedule::try_lock_declarations;
use crate::Result;
use crate::backend::{Bounds, LimitInfo, LimitName, LimitShare, parts_of_gate};
use crate::platform::pause;

/// When to look again whether somebody still declares something, and how often.
const BUSY: Duration = Duration::from_millis(20);
const LOOKS: u32 = 25;

impl Postgres {
    pub(super) async fn limit_infos(&self) -> Result<Vec<LimitInfo>> {
        let mut limits = BTreeMap::new();
        for row in self.link.rows(self.statements.limits.query()).await? {
            let info = read_limit(&row)?;
            limits.insert(info.full_name.clone(), info);
        }
        for row in self.link.rows(self.statements.limit_shares.query().bind(self.now())).await? {
            if let Some(info) = limits.get_mut(column::<&str, _>(&row, 0)?) {
                info.add_share(read_share(&row)?);
            }
        }
        for row in self.link.rows(self.statements.limit_values.query()).await? {
            let (limit, value) = parts_of_gate(column(&row, 0)?);
            if let Some(info) = limits.get_mut(limit) {
                info.values.push((value.to_owned(), read_bounds(&row, 1)?));
            }
        }
        Ok(limits.into_values().collect())
    }

    /// Under the lock of the limit, as declarations are put in. A worker that begins meanwhile has declared before, and is told and
    /// awaited, or declares afterwards, and sees what was set. Whoever waits to declare, as somebody has a limit locked, isn't waited for
    /// for long: a worker that begins just then may hear of it only when it looks for limits the next time.
    pub(super) async fn bound(&self, name: LimitName, bounds: Option<Bounds>) -> Result<bool> {
        let books = Books { statements: &self.statements, now: self.now() };
        let limits = [name.limit];
        if let (Some(gate), Some(_)) = (&name.gate, bounds) {
            // So that it can be locked: a claim may be the first to pass it just now. By itself, so that no claim waits for the rest.
            let query = self.statements.add_gates.query().bind([gate]).bind(&limits).bind(self.now());
            self.link.run(query).await?;
        }
        let mut transaction = self.link.begin_with(CUT_OFF).await?;
        if name.gate.is_none() {
            for _ in 0..LOOKS {
                if try_lock_declarations(&self.statements, &mut transaction).await? {
                    break;
                }
                pause(BUSY).await;
            }
        }
        books.lock(&mut transaction, None, Some(&limits)).await?;
        let done = match &name.gate {
            Some(gate) => self.bound_gate(&mut transaction, &limits[0], gate, bounds).await?,
            None => self.bound_limit(&mut transaction, &limits[0], name.task, bounds).await?,
        };
        let query = self.statements.drop_limit.query().bind(&limits[0]);
        query.execute(&mut *transaction).await.map_err(database)?;
        let mut rest = Unopened::default();
        if name.gate.is_none() {
            rest = books.enforce(&mut transaction, &limits).await?;
        }
        transaction.commit().await.map_err(database)?;
        if let Some(gate) = name.gate {
            self.wake(&look_patiently(&self.link, &self.gatekeeper(), &[gate]).await?).await;
        } else if let Err(error) = self.open_others(&books, &limits, rest).await {
            tracing::debug!(?error, "who waits at gates that weren't opened goes a little later");
        }
        Ok(done)
    }

    /// The gates that were left, and those that somebody had locked.
    async fn open_others(&self, books: &Books<'_>, limits: &[String], rest: Unopened) -> Result<()> {
        books.open_rest(&self.link, rest).await?;
        books.open_missed(&self.link, limits).await
    }

    async fn bound_limit(
        &self,
        connection: &mut PgConnection,
        limit: &str,
        task: Option<String>,
        bounds: Option<Bounds>,
    ) -> Result<bool> {
        let query = match bounds.map(columns) {
            Some((most, interval, burst)) => {
                let query = self.statements.set_limit.query().bind(limit.to_owned()).bind(task);
                query.bind(most).bind(interval).bind(burst)
            }
            None => self.statements.clear_limit.query().bind(limit.to_owned()),
        };
        Ok(query.execute(connection).await.map_err(database)?.rows_affected() > 0)
    }

    async fn bound_gate(
        &self,
        connection: &mut PgConnection,
        limit: &str,
        gate: &str,
        bounds: Option<Bounds>,
    ) -> Result<bool> {
        let before = self.gate(connection, gate).await?;
        let query = match bounds.map(columns) {
            Some((most, interval, burst)) => {
                let query = self.statements.set_gate.query().bind(limit.to_owned()).bind(gate.to_owned());
                query.bind(most).bind(interval).bind(burst).bind(self.now())
            }
            None => self.statements.clear_gate.query().bind(gate.to_owned()),
        };
        let done = query.execute(&mut *connection).await.map_err(database)?.rows_affected() > 0;
        if let (Some((was, _, now)), Some((is, pace, _)), true) = (before, self.gate(connection, gate).await?, done) {
            let swapped = was.gate.swap(was.bounds.rate, is.bounds.rate, pace, now);
            recount_gates(&self.gatekeeper(), connection, [(gate.to_owned(), swapped)]).await?;
        }
        Ok(done)
    }

    /// A gate, which is locked then, if there is one, its limit's pace, and the time.
    async fn gate(&self, connection: &mut PgConnection, name: &str) -> Result<Option<(Post, u64, Timestamp)>> {
        let query = self.statements.lock_gates.query().bind([name]);
        query.fetch_one(&mut *connection).await.map_err(database)?;
        let query = self.statements.gates.query().bind([name]).bind(false).bind(self.now());
        let row = query.fetch_optional(connection).await.map_err(database)?;
        row.map(|row| read_post(&row).and_then(|(_, post, now)| Ok((post, read_pace(&row)?, now)))).transpose()
    }

    fn gatekeeper(&self) -> Holder<'_> {
        Holder { statements: &self.statements, lease: Lease(0), now: self.now() }
    }
}

fn read_limit(row: &PgRow) -> Result<LimitInfo> {
    let (is_declared, is_set): (bool, bool) = (column(row, 2)?, column(row, 6)?);
    let declared = is_declared.then(|| read_bounds(row, 3)).transpose()?;
    let set = is_set.then(|| read_bounds(row, 7)).transpose()?;
    let mut info = LimitInfo::new(column(row, 0)?, column(row, 1)?, declared, set);
    info.sharers = column(row, 12)?;
    (info.busy, info.blocking) = (unsigned(column::<i64, _>(row, 10)?), unsigned(column::<i64, _>(row, 11)?));
    Ok(info)
}

fn read_share(row: &PgRow) -> Result<LimitShare> {
    let (units, waits_for) = (unsigned(column::<i32, _>(row, 3)?), unsigned(column::<i32, _>(row, 4)?));
    let next = column::<Option<Instant>, _>(row, 5)?.map(|Instant(next)| next);
    Ok(LimitShare { worker: column(row, 2)?, measure: read_measure(column(row, 1)?), units, waits_for, next })
}
