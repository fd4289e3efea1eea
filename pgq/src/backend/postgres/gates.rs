//! The gates of limit keys.
//!
//! A claim wins jobs as if there were no limits with keys. Those of its jobs that have some then stand before their gates, in one
//! transaction: lock the gates, in order; in another statement, which sees what was committed meanwhile, let those through whose
//! gates have room for all, and read the other gates (`enter.rs`); decide about these ([`Gatehouse`]); write who else has passed, and
//! park the others at the first gate that holds each up. An attempt's end takes its pass away, and then lets those who wait at its
//! gates become ready.
//!
//! ```text
//! ready ──claim──▶ before its gates ──all let it through──▶ running, with a pass for each ──end──▶ somebody waits?
//!   ▲                     │ one doesn't                                                              │
//!   │                     ▼                                                                          │
//!   └───────────────── parked ◀──────────────────── the first of those who wait ─────────────────────┘
//! ```
//!
//! Where a gate lets nobody through, those who come next before it in the same lane are parked with the one who was held up
//! (`park.rs`), so that a backlog of one key is out of others' way after few claims, however few each may win.
//!
//! Whoever has parked somebody looks at the gate once more after the commit, and so does whoever has left it: one of them sees
//! the other, and nobody is left behind. Whoever has left it needn't while a rate lets nobody through, if it is looked at by the time
//! that does ([`Post::heeds_ends`]): most ends behind a rate lock nothing.
//!
//! | Who dies | What follows |
//! |---|---|
//! | a worker whose claim stands before gates | its jobs are freed with the rest of its lease, and none counts an attempt or a crash |
//! | a worker that freezes with gates locked | others wait for 200 ms, hand back what has to pass them and look later at who waits there, until its transaction is cut off after 3 s |
//! | a worker with passes | they are taken away when its jobs are freed, and those who wait become ready |
//! | an operator, or a worker that declares, with other bounds written and gates not yet opened, as he found them locked, or were more than he opens before his commit | they are due within two minutes: a gate is looked at again within one where it may wait for something else than its rate, and where that has changed it is to be looked at later than what it lets through explains (`far_gates.sql`) |
//! | whoever was to pass next | a gate that holds somebody up is looked at again within a minute |
//! | whoever has left, and was to look | once the jobs of those that are gone are free, gates are due that fewer run behind than may (`far_gates.sql`) |
//! | a worker's link between an end and its pass | the end is written once more, and its pass taken away whatever comes of that |

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use pgq_core::limit::gatehouse::{Gatehouse, Post, release};
use pgq_core::{Claimed, JobId, Timestamp};
use sqlx::error::DatabaseError;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Transaction};

use super::convert::{Instant, column, database, instant, unsigned};
use super::finish::{Holder, Passed};
use super::limit::read_bounds;
use super::link::Link;
use super::paces::{Counts, read_gate};
use super::session::PgSession;
use super::unseen::AGAIN;
use super::wake::Call;
use crate::backend::Promoted;
use crate::error::{Error, Kind, Result};

/// So many of those who wait at a gate without bounds are counted, and so many go at once from all that are looked at.
const STEP: u32 = 1_000;
/// So many gates that open are looked at at once: as many times a step may be counted.
const GATES: u32 = 200;
/// Whoever freezes with gates locked is cut off soon, as others wait for them: a worker's connections see to that by themselves.
pub(super) const CUT_OFF: &str = "set local idle_in_transaction_session_timeout = '3s'";
/// And so long an operator waits for them, at most.
pub(super) const WAITING: &str = "set local idle_in_transaction_session_timeout = '3s'; set local lock_timeout = '4s'";
/// And so long they wait where there is other work to do meanwhile.
pub(super) const PATIENCE: &str = "set local lock_timeout = '200ms'";
/// The same for who passes: a pass that a crash of the server took back would let another one beside it.
const PASSING: &str = "set local synchronous_commit = on; set local lock_timeout = '200ms'";
/// How soon a gate that opens is looked at again which somebody has locked, nearly always for milliseconds: whoever asked at once would go
/// on asking for as long as that lasts.
const LOCKED: Duration = Duration::from_millis(100);
/// The most gates that a worker remembers to exist.
const KNOWN: usize = 100_000;

impl PgSession {
    /// Those of a claim's jobs that all their gates let through; whether others were parked, and how soon a gate opens at which nobody
    /// was before.
    pub(super) async fn pass_gates(&self, jobs: Vec<Claimed>) -> Result<(Vec<Claimed>, bool, Option<Duration>)> {
        // Whoever comes behind those who pass by has waited for their turn.
        let late = jobs.iter().filter(|job| never_begins(job));
        let mut seen: BTreeSet<String> = late.flat_map(|job| &job.limit_keys).cloned().collect();
        let names = jobs.iter().filter(|job| !never_begins(job)).flat_map(|job| &job.limit_keys);
        let names: HashSet<&str> = names.map(String::as_str).collect();
        if names.is_empty() {
            self.look_at(&Vec::from_iter(seen)).await?;
            return Ok((jobs, false, None));
        }
        let mut names: Vec<String> = names.into_iter().map(ToOwned::to_owned).collect();
        names.sort();
        let (mut transaction, locked) = self.lock_gates(&names).await?;
        let (mut house, now) = self.enter(&mut transaction, &jobs, &locked).await?;
        let locked: HashSet<String> = locked.into_iter().collect();
        let (mut through, mut held_up, mut passes) = (Vec::with_capacity(jobs.len()), Vec::new(), Vec::new());
        let mut closed = BTreeSet::new();
        for job in jobs {
            if never_begins(&job) {
                through.push(job);
                continue;
            }
            if !job.limit_keys.iter().all(|name| locked.contains(name)) {
                held_up.push(((job.id, job.epoch), None));
                continue;
            }
            if !house.knows_any(&job.limit_keys) {
                // It has its passes.
                through.push(job);
                continue;
            }
            let place = (job.priority.rank(), job.run_at, job.id);
            match house.pass(place, &job.limit_keys, now) {
                Ok(()) => {
                    // Also where all may pass just now: bounds that are set later, or declared again, count who runs by then.
                    let gates = job.limit_keys.iter();
                    passes.extend(gates.map(|gate| Passed { claim: (job.id, job.epoch), gate: gate.clone() }));
                    through.push(job);
                }
                Err(gate) => {
                    if house.is_closed(gate, now) {
                        closed.insert((gate.to_owned(), job.queue.clone(), job.task.clone()));
                    }
                    // Whoever it waits for may have left meanwhile. Who waits for his turn is called.
                    seen.extend(house.is_full(gate).then(|| gate.to_owned()));
                    // Whoever left one of its other gates to it may have been the last to look there.
                    seen.extend(job.limit_keys.iter().filter(|name| *name != gate).cloned());
                    held_up.push(((job.id, job.epoch), Some(gate.to_owned())));
                }
            }
        }
        let parked = !held_up.is_empty();
        let back = held_up.iter().any(|(_, gate)| gate.is_none());
        if !passes.is_empty() || parked {
            self.write_passes(&mut transaction, passes, &house, held_up).await?;
        }
        self.park_next(&mut transaction, closed).await?;
        let seen = Vec::from_iter(seen);
        // Also where it isn't heard that this stands.
        self.unseen.looked_at(&[], &seen);
        transaction.commit().await.map_err(database)?;
        if back {
            self.passed().mark_behind();
        }
        self.look_at(&seen).await?;
        Ok((through, parked, house.first_opens().map(|opens| opens.since(now))))
    }

    /// A transaction in which these gates are locked, and which of them: those that somebody holds for long are left out.
    async fn lock_gates(&self, names: &[String]) -> Result<(Transaction<'static, Postgres>, Vec<String>)> {
        loop {
            self.add_gates(names).await?;
            let mut transaction = self.engine().begin_with(PASSING).await?;
            let query = self.statements.lock_gates.query().bind(names);
            let locked: usize = match query.fetch_one(&mut *transaction).await {
                Ok(row) => unsigned(column::<i64, _>(&row, 0)?),
                Err(error) if took_too_long(&error) => {
                    let (transaction, free) =
                        lock_free(&self.engine(), &self.holder(), transaction, names, PASSING).await?;
                    return Ok((transaction, gate_names(&free)?));
                }
                Err(error) => return Err(database(error)),
            };
            if locked >= names.len() {
                return Ok((transaction, names.to_vec()));
            }
            // Somebody has pruned one that was known.
            self.known_gates(|known| known.retain(|name| !names.contains(name)));
        }
    }

    /// By a statement of its own, so that nobody waits for the rest of a transaction with a gate that is new.
    async fn add_gates(&self, names: &[String]) -> Result<()> {
        let fresh: Vec<&String> =
            self.known_gates(|known| names.iter().filter(|name| !known.contains(*name)).collect());
        if fresh.is_empty() {
            return Ok(());
        }
        let limits: Vec<&str> = fresh.iter().map(|name| limit_of(name)).collect();
        self.engine().run(self.statements.add_gates.query().bind(&fresh).bind(limits).bind(self.now())).await?;
        self.known_gates(|known| {
            if known.len() > KNOWN {
                known.clear();
            }
            known.extend(fresh.into_iter().cloned());
        });
        Ok(())
    }

    async fn write_passes(
        &self,
        connection: &mut PgConnection,
        passes: Vec<Passed>,
        house: &Gatehouse,
        held_up: Vec<((JobId, u32), Option<String>)>,
    ) -> Result<()> {
        let (jobs, epochs, gates) = columns(passes);
        let (mut names, mut counts, mut opens) = (vec![], Counts::default(), vec![]);
        for (name, post) in house.posts().filter(|(_, post)| post.used || post.opens.is_some()) {
            names.push(name);
            counts.add(post.gate);
            opens.push(post.opens.map(Instant));
        }
        let (mut held, mut held_epochs, mut at) = (vec![], vec![], vec![]);
        for ((id, epoch), gate) in held_up {
            held.push(id.0);
            held_epochs.push(epoch.cast_signed());
            at.push(gate);
        }
        let query =
            self.statements.pass.query().bind(self.lease.0).bind(jobs).bind(gates).bind(names).bind(counts.rest);
        let asked = epochs.len();
        let row = query
            .bind(opens)
            .bind(held)
            .bind(at)
            .bind(epochs)
            .bind(held_epochs)
            .bind(self.settled())
            .bind(counts.clear)
            .bind(counts.pace)
            .fetch_one(connection)
            .await
            .map_err(database)?;
        if unsigned::<_, usize>(column::<i64, _>(&row, 0)?) < asked {
            return Err(lease_lost());
        }
        Ok(())
    }

    /// Takes away what is counted at gates and doesn't run: of workers that are gone, or of this worker what it holds no longer.
    pub(super) async fn leave_lost(&self, of_this: bool) -> Result<()> {
        let query = self.statements.leave_lost.query().bind(of_this.then_some(self.lease.0));
        let left = if of_this {
            // Each minute, and once more where a crash takes it back.
            self.engine().rows(query).await?
        } else {
            let mut transaction = self.begin_durable().await?;
            let left = query.fetch_all(&mut *transaction).await.map_err(database)?;
            transaction.commit().await.map_err(database)?;
            left
        };
        self.look_at(&gate_names(&left)?).await
    }

    /// These claims run no longer, whatever has become of their jobs. Also where nothing is left of them at their gates: perhaps that
    /// was done before, and not heard.
    pub(super) async fn leave_gates(&self, left: Vec<Passed>) -> Result<()> {
        let (ids, epochs, gates) = columns(left);
        let looks: BTreeSet<String> = gates.iter().cloned().collect();
        let query = self.statements.leave.query().bind(self.lease.0).bind(ids).bind(epochs).bind(gates);
        self.engine().run(query).await?;
        self.look_after(Cause::Ends, &Vec::from_iter(looks)).await
    }

    async fn look_at(&self, gates: &[String]) -> Result<()> {
        self.look_after(Cause::Any, gates).await
    }

    /// Those that somebody holds for long are looked at again later, with those that open, as the next beat tells.
    async fn look_after(&self, cause: Cause, gates: &[String]) -> Result<()> {
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

    /// Lets those go who wait at gates that open, the first so soon.
    pub(super) async fn open_gates(&self, step: u32, first: Option<Duration>) -> Result<Promoted> {
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
        self.tell_of_ready(&call).await?;
        let opens = next.into_iter().chain(closed).min().map(|opens| opens.since(by).saturating_sub(asked.elapsed()));
        let opens = if due.len() >= step as usize { Some(Duration::ZERO) } else { opens };
        let opens = opens.into_iter().chain(locked.then_some(LOCKED)).min();
        Ok(Promoted { moved: unsigned(call.jobs()), next: again, opened: !due.is_empty(), opens })
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

/// After what it is looked who may leave a gate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing but ends of attempts that had passed it.
    Ends,
    Any,
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

/// In place of a transaction in which somebody was waited for in vain, one in which those of the gates are locked that nobody holds.
async fn lock_free(
    link: &Link,
    holder: &Holder<'_>,
    failed: Transaction<'static, Postgres>,
    names: &[String],
    settings: &str,
) -> Result<(Transaction<'static, Postgres>, Vec<PgRow>)> {
    // First, as there may be no connection for a second one while this one is held.
    failed.rollback().await.map_err(database)?;
    let mut transaction = link.begin_with(settings).await?;
    let query = holder.statements.lock_free_gates.query().bind(names);
    let free = query.fetch_all(&mut *transaction).await.map_err(database)?;
    Ok((transaction, free))
}

/// Whether it was given up because somebody else had something locked.
fn took_too_long(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "55P03")
}

/// Whoever comes too late, or can't be read, is discarded before its handler begins, and takes nobody's place.
pub(super) fn never_begins(job: &Claimed) -> bool {
    job.expired || job.damage.is_some()
}

fn gate_names(rows: &[PgRow]) -> Result<Vec<String>> {
    let mut names: Vec<String> = rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
    names.sort();
    names.dedup();
    Ok(names)
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

/// A gate's name, where it stands by the rate that is in force, and the time.
pub(super) fn read_post(row: &PgRow) -> Result<(String, Post, Timestamp)> {
    let bounds = read_bounds(row, 1)?;
    let gate = read_gate(row, bounds.rate)?;
    let opens = column::<Option<Instant>, _>(row, 6)?.map(|opens| opens.0);
    Ok((
        column(row, 0)?,
        Post { bounds, gate, first: None, opens, ahead: 0, used: false, first_opens: None },
        instant(row, 7)?,
    ))
}

pub(super) fn lease_lost() -> Error {
    Error::new(Kind::Interrupted, "the lease was lost before the gates of limit keys")
}

/// The limit whose gate has this name: `limit[key]=value`.
fn limit_of(gate: &str) -> &str {
    gate.split_once("]=").map_or(gate, |(limit, _)| &gate[..=limit.len()])
}

fn columns(passes: Vec<Passed>) -> (Vec<i64>, Vec<i32>, Vec<String>) {
    passes.into_iter().map(|Passed { claim: (id, epoch), gate }| (id.0, epoch.cast_signed(), gate)).collect()
}
