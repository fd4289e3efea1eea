//! Limits: what is declared, and how much of it each worker has.
//!
//! Every change of a pool reads it; decides by [`Pool`]; and writes all of it by one statement, unless somebody has changed the limit
//! since, which the version of its row says. Then it begins anew, and after a few times in vain under the lock of that row, which
//! declarations and what operators set hold from the start: read in a statement of its own, as one that has waited for a lock sees what
//! was there before it waited. Under locks alone whoever was stopped between two statements held up all others until the server cut him
//! off, and each that was stopped in line behind him did the same in turn: half a minute of that was seen, where three of eight workers
//! were stopped. Who has units of what stands in the table, so whoever dies half-way has changed nothing, and whoever got no answer asks
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgq_core::limit::divide::Stake;
use pgq_core::limit::pace::MAX_PACES;
use pgq_core::limit::pool::{Balanced, Pool};
use pgq_core::limit::share::{Awaited, Share, is_silent};
use pgq_core::{Bounds, Lease, Rate, Timestamp};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::convert::{Instant, column, database, instant, micros, unsigned};
use super::namespace::Statements;
use super::opening::Unopened;
use super::session::PgSession;
use crate::backend::{Ask, Declared, Measure, NextToken, PoolName, PoolView, Portion};
use crate::error::{Error, Kind, Result};

/// A limit's pools, as they stand.
struct Standing {
    sharers: Vec<String>,
    keyed: bool,
    edition: Option<i64>,
    upheld: bool,
    outlived: bool,
    now: Timestamp,
    version: i64,
    pools: BTreeMap<Measure, Pool>,
}

/// How often what follows from pools is worked out anew, as others have changed them meanwhile, before they are locked for that.
const TRIES: u32 = 5;

impl PgSession {
    /// After the locks of all limits. Which gates are to be opened after the commit.
    pub(super) async fn declare_limits(
        &self,
        connection: &mut PgConnection,
        number: i64,
        declared: &Declared,
    ) -> Result<Unopened> {
        let inherited = self.statements.inherit_limits.query().bind(&declared.tasks);
        let inherited = inherited.fetch_all(&mut *connection).await.map_err(database)?;
        let (mut names, mut tasks, mut keyed) = (vec![], vec![], vec![]);
        let (mut most, mut intervals, mut bursts) = (vec![], vec![], vec![]);
        for limited in &declared.limits {
            let (concurrency, interval, burst) = columns(limited.bounds);
            names.push(&*limited.name);
            tasks.push(limited.task.as_deref());
            keyed.push(limited.keyed);
            most.push(concurrency);
            intervals.push(interval);
            bursts.push(burst);
        }
        let query =
            self.statements.declare_limits.query().bind(names).bind(tasks).bind(keyed).bind(most).bind(intervals);
        let query = query.bind(bursts).bind(number).bind(&declared.tasks).bind(self.now()).bind(self.lease.0);
        let changed = query.fetch_all(&mut *connection).await.map_err(database)?;
        if changed.is_empty() && inherited.is_empty() {
            return Ok(Unopened::default());
        }
        let changed: Vec<String> = inherited.iter().chain(&changed).map(|row| column(row, 0)).collect::<Result<_>>()?;
        self.books().enforce(connection, &changed).await
    }

    pub(super) fn books(&self) -> Books<'_> {
        Books { statements: &self.statements, now: self.now() }
    }

    pub(super) async fn view_pools(&self) -> Result<Vec<PoolView>> {
        let mut visit = self.engine().visit().await?;
        let mut views = Vec::new();
        let standings = self.books().read(&mut visit, None, true).await?;
        visit.end().await?;
        for (limit, standing) in standings {
            let Standing { sharers, keyed, edition, upheld, outlived, now, pools, .. } = standing;
            for (measure, pool) in pools {
                let pool_name = PoolName { limit: limit.as_str().into(), measure };
                let portion = pool.portion(self.lease, now);
                let sharers = sharers.clone();
                views.push(PoolView { pool: pool_name, sharers, keyed, portion, edition, upheld, outlived });
            }
        }
        Ok(views)
    }

    pub(super) async fn share_pools(&self, asks: Vec<(PoolName, Ask)>) -> Result<Vec<(PoolName, Portion)>> {
        let limits: Vec<String> = asks.iter().map(|(pool, _)| pool.limit.to_string()).collect();
        for _ in 0..TRIES {
            let mut visit = self.engine().visit().await?;
            let shared = self.share_seen(&mut visit, &limits, &asks).await?;
            visit.end().await?;
            if let Some(portions) = shared {
                return Ok(portions);
            }
        }
        let mut transaction = self.begin_durable().await?;
        let (_, limits) = self.books().lock(&mut transaction, Some(self.lease), Some(&limits)).await?;
        let shared = self.share_seen(&mut transaction, &limits, &asks).await?;
        transaction.commit().await.map_err(database)?;
        shared.ok_or_else(overtaken)
    }

    /// Nothing, where somebody has changed one of the limits since they were seen.
    async fn share_seen(
        &self,
        connection: &mut PgConnection,
        limits: &[String],
        asks: &[(PoolName, Ask)],
    ) -> Result<Option<Vec<(PoolName, Portion)>>> {
        let books = self.books();
        let mut standings = books.read(connection, Some(limits), false).await?;
        let (mut changes, mut portions) = (Changes::default(), Vec::with_capacity(asks.len()));
        for (name, ask) in asks {
            let pool = standings.get_mut(&*name.limit).and_then(|standing| {
                let pool = standing.pools.remove(&name.measure)?;
                Some((pool, standing.version, standing.now))
            });
            let portion =
                pool.map(|(pool, version, now)| changes.take(name, version, pool.balance(self.lease, *ask, now), now));
            portions.push((name.clone(), portion.unwrap_or_default()));
        }
        let written = books.write(connection, changes, Some(self.lease)).await?;
        if !written.alive {
            let nothing = Portion { cap: Some(0), ..Portion::default() };
            return Ok(Some(asks.iter().map(|(pool, _)| (pool.clone(), nothing)).collect()));
        }
        Ok(written.stands.then_some(portions))
    }

    /// One statement, as there may be one for each start.
    pub(super) async fn foretell_tokens(&self, tokens: Vec<(PoolName, NextToken)>) -> Result<()> {
        let (mut limits, mut units, mut waits) = (vec![], vec![], vec![]);
        let (mut intervals, mut bursts) = (vec![], vec![]);
        for (name, token) in tokens {
            let (_, interval, burst) = columns(Bounds { concurrency: None, rate: Some(token.rate) });
            limits.push(name.limit.to_string());
            units.push(token.units.cast_signed());
            waits.push(micros(token.wait));
            intervals.push(interval);
            bursts.push(burst);
        }
        let query = self.statements.foretell.query().bind(self.lease.0).bind(limits).bind(units).bind(waits);
        self.engine().run(query.bind(intervals).bind(bursts).bind(self.now())).await.map(drop)
    }

    /// What workers that are gone had is others'.
    pub(super) async fn reclaim_shares(&self) -> Result<()> {
        let rows = self.engine().rows(self.statements.orphaned_shares.query()).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut reclaimed = Ok(());
        for row in &rows {
            // One that somebody has locked holds up no other.
            reclaimed = reclaimed.and(self.reclaim_shares_of(column(row, 0)?).await);
        }
        reclaimed
    }

    async fn reclaim_shares_of(&self, limit: String) -> Result<()> {
        let limits = [limit];
        for _ in 0..TRIES {
            let mut visit = self.engine().visit().await?;
            let stands = self.books().redivide(&mut visit, &limits).await?;
            visit.end().await?;
            if stands {
                return Ok(());
            }
        }
        let mut transaction = self.begin_durable().await?;
        let (_, limits) = self.books().lock(&mut transaction, Some(self.lease), Some(&limits)).await?;
        let stands = self.books().redivide(&mut transaction, &limits).await?;
        transaction.commit().await.map_err(database)?;
        stands.then_some(()).ok_or_else(overtaken)
    }
}

/// Where what there is of limits, and who has it, is written down.
pub(super) struct Books<'s> {
    pub(super) statements: &'s Statements,
    pub(super) now: Option<Instant>,
}

impl Books<'_> {
    /// Puts other bounds of these limits, which are locked, into force. Which gates are to be opened after the commit.
    pub(super) async fn enforce(&self, connection: &mut PgConnection, limits: &[String]) -> Result<Unopened> {
        let query = self.statements.begin_limits.query().bind(limits).bind(self.now);
        query.execute(&mut *connection).await.map_err(database)?;
        if !self.redivide(connection, limits).await? {
            return Err(overtaken());
        }
        // After what is free has been counted by the rate before.
        let kept = i32::try_from(MAX_PACES).unwrap_or(i32::MAX);
        let query = self.statements.pace_limits.query().bind(limits).bind(self.now).bind(kept);
        query.execute(&mut *connection).await.map_err(database)?;
        let rest = self.open_first(connection, limits).await?;
        self.statements.tell_all.query().execute(connection).await.map_err(database)?;
        Ok(rest)
    }

    /// Whether it stands, as nobody has changed them since they were seen.
    async fn redivide(&self, connection: &mut PgConnection, limits: &[String]) -> Result<bool> {
        let mut changes = Changes::default();
        for (limit, standing) in self.read(connection, Some(limits), false).await? {
            for (measure, pool) in standing.pools {
                let name = PoolName { limit: limit.as_str().into(), measure };
                changes.take(&name, standing.version, pool.redivide(standing.now), standing.now);
            }
        }
        Ok(self.write(connection, changes, None).await?.stands)
    }

    /// Locks limits, all where none are named; whether the worker lives, if it is for one, and which it has locked. One that was
    /// gone, and comes back before it is read, isn't among them: of that nothing is to be written.
    pub(super) async fn lock(
        &self,
        connection: &mut PgConnection,
        worker: Option<Lease>,
        limits: Option<&[String]>,
    ) -> Result<(bool, Vec<String>)> {
        let query = self.statements.lock_limits.query().bind(worker.map(|lease| lease.0)).bind(limits);
        let row = query.fetch_one(connection).await.map_err(database)?;
        Ok((column(&row, 0)?, column(&row, 1)?))
    }

    async fn read(
        &self,
        connection: &mut PgConnection,
        limits: Option<&[String]>,
        keyed: bool,
    ) -> Result<BTreeMap<String, Standing>> {
        let query = self.statements.pools.query().bind(limits).bind(self.now).bind(keyed);
        let rows = query.fetch_all(connection).await.map_err(database)?;
        let mut standings = BTreeMap::new();
        for row in &rows {
            let standing = match standings.entry(column::<String, _>(row, 0)?) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => entry.insert(read_standing(row)?),
            };
            if let Some((measure, share)) = read_share(row)?
                && let Some(pool) = standing.pools.get_mut(&measure)
            {
                if column(row, 15)? {
                    pool.shares.push(share);
                } else {
                    pool.orphaned = pool.orphaned.saturating_add(share.stake.units);
                }
            }
        }
        Ok(standings)
    }

    /// All of it or nothing, for this worker if it is for one.
    async fn write(&self, connection: &mut PgConnection, changes: Changes, worker: Option<Lease>) -> Result<Written> {
        let (limits, measures): (Vec<_>, Vec<_>) = changes.pools.into_iter().unzip();
        let (mut names, mut versions, mut rates) = (vec![], vec![], vec![]);
        for (name, (version, tokens)) in changes.limits {
            names.push(name);
            versions.push(version);
            rates.push(tokens);
        }
        let query = self
            .statements
            .shares
            .query()
            .bind(names)
            .bind(versions)
            .bind(rates)
            .bind(changes.now.map(Instant))
            .bind(limits)
            .bind(measures);
        let (mut of, mut measures, mut workers, mut units) = (vec![], vec![], vec![], vec![]);
        let (mut wishes, mut since, mut tokens, mut awaited) = (vec![], vec![], vec![], vec![]);
        let mut ahead = vec![];
        for (limit, measure, share) in changes.shares {
            of.push(limit);
            measures.push(measure);
            workers.push(share.lease.0);
            units.push(share.stake.units.cast_signed());
            wishes.push(share.stake.wish.cast_signed());
            since.push(Instant(share.since));
            tokens.push(share.micros.cast_signed());
            awaited.push(share.awaited.is_some());
            ahead.push(share.ahead);
        }
        let told: Vec<i64> = changes.told.into_iter().collect();
        let query = query
            .bind(of)
            .bind(measures)
            .bind(workers)
            .bind(units)
            .bind(wishes)
            .bind(since)
            .bind(tokens)
            .bind(awaited)
            .bind(ahead)
            .bind(told)
            .bind(worker.map(|lease| lease.0));
        let row = query.fetch_one(connection).await.map_err(database)?;
        Ok(Written { alive: column(&row, 0)?, stands: column(&row, 1)? })
    }
}

/// What is to be written of pools.
#[derive(Default)]
struct Changes {
    /// As of which version they were read, and the tokens in what is free of a rate.
    limits: BTreeMap<String, (i64, Option<i64>)>,
    pools: Vec<(String, i16)>,
    shares: Vec<(String, i16, Share)>,
    told: BTreeSet<i64>,
    now: Option<Timestamp>,
}

/// What became of that.
struct Written {
    /// The worker that it is for lives.
    alive: bool,
    /// Nobody had changed the limits since they were read.
    stands: bool,
}

impl Changes {
    fn take(&mut self, name: &PoolName, version: i64, balanced: Balanced, now: Timestamp) -> Portion {
        let (limit, measure) = (name.limit.to_string(), number(name.measure));
        let Balanced { pool, portion, tell } = balanced;
        let (_, tokens) = self.limits.entry(limit.clone()).or_insert((version, None));
        *tokens = pool.rate.map(|(_, micros, _)| micros.cast_signed()).or(*tokens);
        self.shares.extend(pool.shares.into_iter().map(|share| (limit.clone(), measure, share)));
        self.pools.push((limit, measure));
        self.told.extend(tell.into_iter().map(|lease| lease.0));
        self.now = Some(now);
        portion
    }
}

fn overtaken() -> Error {
    Error::new(Kind::Overtaxed, "limits that were locked were changed meanwhile")
}

const fn number(measure: Measure) -> i16 {
    match measure {
        Measure::Concurrency => 0,
        Measure::Rate => 1,
    }
}

pub(super) const fn read_measure(number: i16) -> Measure {
    if number == 0 { Measure::Concurrency } else { Measure::Rate }
}

fn read_standing(row: &PgRow) -> Result<Standing> {
    let bounds = read_bounds(row, 1)?;
    let (micros, filled, was) = (unsigned(column::<i64, _>(row, 5)?), instant(row, 6)?, read_rate(row, 23)?);
    let begun = unsigned(column::<i64, _>(row, 20)?);
    let pool = |measure: Measure| Pool {
        cap: measure.cap(bounds),
        rate: measure.rate(bounds).map(|rate| (rate, micros, filled)),
        was: measure.rate(bounds).and(was),
        shares: Vec::new(),
        orphaned: 0,
        begun,
    };
    let pools = Measure::ALL.into_iter().map(|measure| (measure, pool(measure))).collect();
    let (keyed, outlived, sharers) = (column(row, 14)?, column(row, 17)?, column(row, 18)?);
    let (edition, upheld, now) = (column(row, 4)?, column(row, 22)?, instant(row, 13)?);
    Ok(Standing { sharers, keyed, edition, upheld, outlived, now, version: column(row, 27)?, pools })
}

/// Bounds as their three columns say them.
pub(super) fn columns(bounds: Bounds) -> (Option<i32>, Option<i64>, Option<i32>) {
    let interval = |rate: Rate| i64::try_from(rate.interval().as_nanos()).unwrap_or(i64::MAX);
    let Bounds { concurrency, rate } = bounds;
    (concurrency.map(u32::cast_signed), rate.map(interval), rate.map(|rate| rate.burst().cast_signed()))
}

/// The bounds in a row's columns from this one on.
pub(super) fn read_bounds(row: &PgRow, at: usize) -> Result<Bounds> {
    Ok(Bounds { concurrency: read_count(row, at)?, rate: read_rate(row, at + 1)? })
}

fn read_rate(row: &PgRow, at: usize) -> Result<Option<Rate>> {
    let interval = column::<Option<i64>, _>(row, at)?.map(|nanos| Duration::from_nanos(unsigned(nanos)));
    Ok(interval.zip(read_count(row, at + 1)?).and_then(|(interval, burst)| Rate::every(interval, burst)))
}

fn read_count(row: &PgRow, at: usize) -> Result<Option<u32>> {
    Ok(column::<Option<i32>, _>(row, at)?.map(unsigned))
}

fn read_share(row: &PgRow) -> Result<Option<(Measure, Share)>> {
    let Some(measure) = column::<Option<i16>, _>(row, 7)? else { return Ok(None) };
    let measure = read_measure(measure);
    let stake = Stake { units: unsigned(column::<i32, _>(row, 9)?), wish: unsigned(column::<i32, _>(row, 10)?) };
    let (lease, micros) = (Lease(column(row, 8)?), unsigned(column::<i64, _>(row, 12)?));
    let is_awaited: bool = column(row, 26)?;
    let span = column::<Option<i64>, _>(row, 16)?.map(|micros| Duration::from_micros(unsigned(micros)));
    let life = span.map(|span| instant(row, 19).map(|beat| Awaited { beat, span })).transpose()?;
    let (awaited, latest) = (life.filter(|_| is_awaited), instant(row, 28)?);
    let silent = life.is_some_and(|life| is_silent(life.beat, life.span, latest));
    let next = column::<Option<Instant>, _>(row, 21)?.map(|Instant(next)| next);
    Ok(Some((
        measure,
        Share { lease, stake, since: instant(row, 11)?, ahead: column(row, 25)?, micros, next, awaited, silent },
    )))
}
