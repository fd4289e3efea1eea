//! Looks at gates: who may leave them, after the commit of what has changed there, or as they open.

use std::time::Duration;

use pgq_core::Timestamp;
use pgq_core::limit::gatehouse::release;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::convert::{Instant, column, database, instant, unsigned};
use super::finish::Holder;
use super::gates::{CUT_OFF, PATIENCE, gate_names, lock_free, read_post, took_too_long};
use super::link::Link;
use super::paces::Counts;
use super::session::PgSession;
use super::unseen::AGAIN;
use super::wake::Call;
use crate::backend::{Promoted, Want};
use crate::error::{Error, Result};

/// So many of those who wait at a gate without bounds are counted, and so many go at once from all that are looked at.
const STEP: u32 = 1_000;
/// So many gates that open are looked at at once: as many times a step may be counted.
const GATES: u32 = 200;
/// How soon a gate that opens is looked at again which somebody has locked, nearly always for milliseconds: whoever asked at once would go
/// on asking for as long as that lasts.
const LOCKED: Duration = Duration::from_millis(100);

/// After what it is looked who may leave a gate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing but ends of attempts that had passed it.
    Ends,
    Any,
}

impl PgSession {
    pub(super) async fn look_at(&self, gates: &[String]) -> Result<()> {
        self.look_after(Cause::Any, gates).await
    }

    /// Those that somebody holds for long are looked at again later, with those that open, as the next beat tells.
    pub(super) async fn look_after(&self, cause: Cause, gates: &[String]) -> Result<()> {
        let looked = look(&self.engine(), &self.holder(), cause, gates, PATIENCE).await;
        if looked.as_ref().is_err_and(Error::is_refusal) {
            return self.look_apart(gates).await;
        }
        let missed = looked.as_ref().map_or(gates, |(_, missed)| missed);
        self.unseen.looked_at(gates, missed);
        self.tell_of_ready(&looked?.0).await
    }

    /// At those that somebody had locked; when to look once more.
    pub(super) async fn look_again(&self) -> Result<Option<Duration>> {
        self.look_at(&self.unseen.names()).await?;
        Ok(self.unseen.due())
    }

    pub(super) async fn tell_of_ready(&self, call: &Call) -> Result<()> {
        if *call != Call::nobody() {
            self.passed().mark_behind();
        }
        self.call(call).await
    }

    /// Lets those go who wait at gates that open, the first so soon; a single one without a word, if that is one of these.
    pub(super) async fn open_gates(&self, step: u32, first: Option<Duration>, wants: &[Want]) -> Result<Promoted> {
        let step = step.min(GATES);
        let again = self.look_again().await?;
        if first.is_none_or(|first| !first.is_zero()) {
            return Ok(Promoted { opens: first, next: again, ..Promoted::default() });
        }
        let mut transaction = self.engine().begin().await?;
        let query = self.statements.due_gates.query().bind(i64::from(step)).bind(self.now());
        let rows = query.fetch_all(&mut *transaction).await.map_err(database)?;
        let asked = self.clock.mark();
        let Due { gates: due, by, next, locked } = read_due(&rows)?;
        let opened = match &due[..] {
            [] => Ok((Call::nobody(), None)),
            due => unpark(&self.holder(), &mut transaction, due).await,
        };
        let (call, closed) = match opened {
            Err(error) if error.is_refusal() => {
                transaction.rollback().await.map_err(database)?;
                self.look_apart(&due).await?;
                // One that nobody can be let go from stays due.
                return Ok(Promoted { opened: true, opens: Some(AGAIN), ..Promoted::default() });
            }
            opened => opened?,
        };
        transaction.commit().await.map_err(database)?;
        let heard = self.call_others(&call, wants).await?;
        let opens = next.into_iter().chain(closed).min().map(|opens| opens.since(by).saturating_sub(asked.elapsed()));
        let opens = if due.len() >= step as usize { Some(Duration::ZERO) } else { opens };
        let opens = opens.into_iter().chain(locked.then_some(LOCKED)).min();
        Ok(Promoted { moved: unsigned(call.jobs()), heard, next: again, opened: !due.is_empty(), opens })
    }
}

/// The gates that are due, and locked now.
struct Due {
    gates: Vec<String>,
    /// By what time.
    by: Timestamp,
    /// When the first of the others opens.
    next: Option<Timestamp>,
    /// Whether more are due.
    locked: bool,
}

fn read_due(rows: &[PgRow]) -> Result<Due> {
    let mut gates: Vec<String> = rows.iter().filter_map(|row| column(row, 0).transpose()).collect::<Result<_>>()?;
    gates.sort();
    let Some(row) = rows.first() else { return Ok(Due { gates, by: Timestamp::EPOCH, next: None, locked: false }) };
    let next = column::<Option<Instant>, _>(row, 2)?.map(|next| next.0);
    Ok(Due { gates, by: instant(row, 1)?, next, locked: column(row, 3)? })
}

/// Lets those go who may leave these gates, after the commit of what has changed there.
pub(super) async fn look_patiently(link: &Link, holder: &Holder<'_>, gates: &[String]) -> Result<Call> {
    Ok(look(link, holder, Cause::Any, gates, CUT_OFF).await?.0)
}

/// The same but for those that somebody held for longer than these settings wait; which those are.
pub(super) async fn look(
    link: &Link,
    holder: &Holder<'_>,
    cause: Cause,
    gates: &[String],
    settings: &str,
) -> Result<(Call, Vec<String>)> {
    if gates.is_empty() {
        return Ok((Call::nobody(), Vec::new()));
    }
    // Nearly always nobody waits, and no lock is needed to see that.
    let gates = &waited(link, holder, cause, gates).await?;
    if gates.is_empty() {
        return Ok((Call::nobody(), Vec::new()));
    }
    let mut transaction = link.begin_with(settings).await?;
    let free = match holder.statements.lock_gates.query().bind(gates).fetch_one(&mut *transaction).await {
        Ok(_) => None,
        Err(error) if took_too_long(&error) => {
            let free;
            (transaction, free) = lock_free(link, holder, transaction, gates, settings).await?;
            Some(gate_names(&free)?)
        }
        Err(error) => return Err(database(error)),
    };
    let locked = free.as_ref().unwrap_or(gates);
    let call = if locked.is_empty() { Call::nobody() } else { unpark(holder, &mut transaction, locked).await?.0 };
    transaction.commit().await.map_err(database)?;
    let missed = gates.iter().filter(|gate| locked.binary_search(gate).is_err()).cloned();
    Ok((call, missed.collect()))
}

/// Those of the gates at which somebody waits whom this may let through.
async fn waited(link: &Link, holder: &Holder<'_>, cause: Cause, gates: &[String]) -> Result<Vec<String>> {
    let query = holder.statements.waited_gates.query().bind(gates).bind(holder.now);
    let mut waited = Vec::new();
    for row in link.rows(query).await? {
        let (name, post, now) = read_post(&row)?;
        if cause == Cause::Any || post.heeds_ends(now) {
            waited.push(name);
        }
    }
    waited.sort();
    waited.dedup();
    Ok(waited)
}

/// Lets those go who may leave these gates, which are locked; when the first of these opens next.
async fn unpark(
    holder: &Holder<'_>,
    connection: &mut PgConnection,
    gates: &[String],
) -> Result<(Call, Option<Timestamp>)> {
    let query = holder.statements.gates.query().bind(gates).bind(true).bind(holder.now);
    let rows = query.fetch_all(&mut *connection).await.map_err(database)?;
    let (mut names, mut free, mut opens, mut counts) = (vec![], vec![], vec![], Counts::default());
    let (mut some, mut first, mut left) = (false, None, STEP);
    for row in &rows {
        let (name, mut post, now) = read_post(row)?;
        post.gate = post.gate.under(post.bounds, now);
        let waiting: u32 = unsigned(column::<i64, _>(row, 13)?);
        post.ahead = unsigned(column::<i64, _>(row, 14)?);
        let (count, again) = release(&post, waiting, now);
        // They go in steps, and no attempt's end need tell of those that are left.
        let is_more = count > left || waiting >= STEP && count == waiting;
        let (count, again) = if is_more { (count.min(left), Some(now)) } else { (count, again) };
        left -= count;
        some |= count > 0 || again != post.opens;
        names.push(name);
        free.push(i64::from(count));
        first = first.into_iter().chain(again).min();
        opens.push(again.map(Instant));
        counts.add(post.gate);
    }
    if !some {
        return Ok((Call::nobody(), first));
    }
    let query = holder.statements.unpark.query().bind(names).bind(free).bind(opens).bind(counts.rest);
    let query = query.bind(counts.clear).bind(counts.pace);
    let mut call = Call::nobody();
    for row in query.fetch_all(connection).await.map_err(database)? {
        call.add(column(&row, 0)?, column(&row, 1)?, unsigned(column::<i64, _>(&row, 2)?));
    }
    Ok((call, first))
}
