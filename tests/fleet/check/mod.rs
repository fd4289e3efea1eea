//! The accounts: what ran, against what was allowed then.

mod at_once;
mod order;
mod pace;
mod rest;
mod waits;

use std::collections::BTreeMap;

use pgq::sqlx::PgPool;

use crate::crew::Crew;
use crate::ledger::{Attempt, Ledger};
use crate::limits::{Each, LIMITS, Limit};
use crate::timeline::Timeline;

/// How many attempts a violation is shown with.
const SHOWN: usize = 12;

/// What is wrong, when, and who was there.
pub(crate) struct Violation {
    pub(crate) at: f64,
    pub(crate) what: String,
    pub(crate) there: Vec<String>,
}

/// How near a limit came to what it allows.
pub(crate) struct Approach {
    pub(crate) what: String,
    pub(crate) said: String,
}

/// What came of a run.
pub(crate) struct Findings {
    pub(crate) attempts: usize,
    pub(crate) approaches: Vec<Approach>,
    pub(crate) violations: Vec<Violation>,
}

/// `calm` is since when nothing was done to anybody.
pub(crate) async fn check(pool: &PgPool, crew: &mut Crew, calm: f64, enqueued: u64) -> anyhow::Result<Findings> {
    let ledger = Ledger::read(pool).await?;
    let mut findings = Findings { attempts: ledger.attempts.len(), approaches: Vec::new(), violations: Vec::new() };
    for limit in LIMITS {
        let (mut nearest, mut tightest) = (at_once::Nearest::default(), pace::Tightest::default());
        for (key, attempts) in counted(limit, &ledger.attempts) {
            let value = if limit.each == Each::Key { key.as_str() } else { "" };
            let timeline = Timeline::of(limit, value, &crew.deeds, &ledger.tenures);
            let violations = at_once::check(limit, &attempts, &timeline, &mut nearest).into_iter();
            findings.violations.extend(violations.chain(pace::check(limit, &attempts, &timeline, &mut tightest)));
        }
        findings.approaches.extend([nearest.said(limit), tightest.said(limit)].into_iter().flatten());
    }
    findings.violations.extend(order::check(&ledger));
    findings.violations.extend(waits::check(&ledger, calm, &mut findings.approaches));
    findings.violations.extend(rest::check(pool, enqueued).await?);
    findings.violations.append(&mut crew.bad);
    crew.deeds.add(ledger.changes);
    findings.violations.sort_by(|a, b| a.at.total_cmp(&b.at));
    Ok(findings)
}

/// The attempts that a limit counts, by what it counts apart, in the order in which they began.
fn counted<'a>(limit: &Limit, attempts: &'a [Attempt]) -> BTreeMap<String, Vec<&'a Attempt>> {
    let mut counted: BTreeMap<String, Vec<&Attempt>> = BTreeMap::new();
    let is_counted = |attempt: &&Attempt| {
        limit.tasks.contains(&attempt.task.as_str()) && limit.only.is_none_or(|version| version == attempt.version)
    };
    for attempt in attempts.iter().filter(is_counted) {
        let apart = match limit.each {
            Each::All => String::new(),
            Each::Key => attempt.key.clone(),
            Each::Process => attempt.pid.to_string(),
        };
        counted.entry(apart).or_default().push(attempt);
    }
    counted
}

fn shown<'a>(attempts: impl IntoIterator<Item = &'a Attempt>, at: f64) -> Vec<String> {
    let show = |attempt: &Attempt| {
        let Attempt { job, epoch, task, key, pid, version, begun, ended, let_through, .. } = attempt;
        format!(
            "job {job} (claim {epoch}) of {task} {key}, process {pid} ({version:?}): let through {:+.4}, {:+.4} to {:+.4}",
            let_through.1 - at,
            begun - at,
            ended - at
        )
    };
    attempts.into_iter().take(SHOWN).map(show).collect()
}
