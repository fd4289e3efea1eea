//! The gates of limit keys.
//!
//! A claim wins jobs as if there were no limits with keys. Those of its jobs that have some then stand before their gates, in one
//! transaction: lock the gates, in order; in another statement, which sees what was committed meanwhile, let those through whose
//! gates have room for all, and read the other gates (`enter.rs`); decide about these ([`Gatehouse`]); write who else has passed, and
//! park the others at the first gate that holds each up. An attempt's end takes its pass away, and then lets those who wait at its
//! gates become ready (`gate_looks.rs`).
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

use pgq_core::limit::gatehouse::{Gatehouse, Post};
use pgq_core::{Claimed, JobId, Timestamp};
use sqlx::error::DatabaseError;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Transaction};

use super::convert::{Instant, column, database, instant, unsigned};
use super::finish::{Holder, Passed};
use super::gate_looks::Cause;
use super::limit::read_bounds;
use super::link::Link;
use super::paces::{Counts, read_gate};
use super::session::PgSession;
use crate::error::{Error, Kind, Result};

/// Whoever freezes with gates locked is cut off soon, as others wait for them: a worker's connections see to that by themselves.
pub(super) const CUT_OFF: &str = "set local idle_in_transaction_session_timeout = '3s'";
/// And so long an operator waits for them, at most.
pub(super) const WAITING: &str = "set local idle_in_transaction_session_timeout = '3s'; set local lock_timeout = '4s'";
/// And so long they wait where there is other work to do meanwhile.
pub(super) const PATIENCE: &str = "set local lock_timeout = '200ms'";
/// The same for who passes: a pass that a crash of the server took back would let another one beside it.
const PASSING: &str = "set local synchronous_commit = on; set local lock_timeout = '200ms'";
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
}

/// In place of a transaction in which somebody was waited for in vain, one in which those of the gates are locked that nobody holds.
pub(super) async fn lock_free(
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
pub(super) fn took_too_long(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "55P03")
}

/// Whoever comes too late, or can't be read, is discarded before its handler begins, and takes nobody's place.
pub(super) fn never_begins(job: &Claimed) -> bool {
    job.expired || job.damage.is_some()
}

pub(super) fn gate_names(rows: &[PgRow]) -> Result<Vec<String>> {
    let mut names: Vec<String> = rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
    names.sort();
    names.dedup();
    Ok(names)
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
