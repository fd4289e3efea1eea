//! How figures are shown: to people as a table or a page, to programs as JSON.

use std::fmt::Write;

use pgq_benches::figures::millis;
use serde_json::{Map, Value, json};

use crate::adapters::NOT_MEASURED;
use crate::conditions::Conditions;
use crate::peer::RunsIn;
use crate::phase::PATIENCE;
use crate::tally::{Round, Tally, is_given_up};

const HEAD: [&str; 13] = [
    "peer",
    "version",
    "enqueue/s",
    "pgq ×",
    "drain/s",
    "pgq ×",
    "p50 ms",
    "p99 ms",
    "pgq p50 ×",
    "WAL B enqueue",
    "WAL B drain",
    "kept",
    "duplicates",
];

pub(crate) struct Report<'a> {
    pub(crate) conditions: &'a Conditions,
    /// The first one is pgq, with which all are compared.
    pub(crate) tallies: &'a [Tally],
}

impl Report<'_> {
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.measured().map(|tally| self.row(tally)));
        let widths: Vec<usize> = (0..HEAD.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut table = String::new();
        for (name, value) in self.conditions {
            // Writing to a string can't fail.
            let _ = writeln!(table, "{name:<20}  {value}");
        }
        table.push('\n');
        for row in rows {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(
                |(column, (cell, &width))| {
                    if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            );
            let _ = writeln!(table, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        for (name, why) in self.not_measured() {
            let _ = writeln!(table, "{name}: not measured: {why}");
        }
        table
    }

    pub(crate) fn markdown(&self) -> String {
        let mut page = include_str!("results.md").to_owned();
        page.push_str("\n## Conditions\n\n");
        for (name, value) in self.conditions {
            let _ = writeln!(page, "- {name}: {value}");
        }
        page.push_str("\n## Figures\n\n");
        let _ = writeln!(page, "| {} |\n|---|---|{}", HEAD.join(" | "), "--:|".repeat(HEAD.len() - 2));
        for tally in self.measured() {
            let _ = writeln!(page, "| {} |", self.row(tally).join(" | "));
        }
        page.push_str("\n## Settings\n\n");
        for tally in self.measured() {
            let _ = writeln!(page, "- **{}** ({}): {}.", tally.entry.name, source(tally), about(tally));
        }
        page.push_str("\n## Not measured\n\n");
        for (name, why) in self.not_measured() {
            let _ = writeln!(page, "- **{name}**: {why}");
        }
        page
    }

    pub(crate) fn json(&self) -> String {
        let conditions =
            self.conditions.iter().map(|(name, value)| (name.replace(' ', "_"), Value::from(value.as_str())));
        let peers = self.measured().map(|tally| (tally.entry.name.to_owned(), self.figures(tally)));
        let not_measured = self.not_measured().map(|(name, why)| (name.to_owned(), Value::from(why)));
        let report = json!({
            "conditions": conditions.collect::<Map<_, _>>(),
            "peers": peers.collect::<Map<_, _>>(),
            "not_measured": not_measured.collect::<Map<_, _>>(),
        });
        format!("{report}\n")
    }

    fn figures(&self, tally: &Tally) -> Value {
        let pgq = &self.tallies[0];
        json!({
            "version": tally.version,
            "settings": tally.entry.settings,
            "transactional": tally.entry.transactional,
            "jobs": tally.jobs,
            "rounds": tally.rounds.len(),
            "enqueue": {
                "jobs_per_s": rounded(tally.median(enqueued)),
                "pgq_to_this": rounded(pgq.ratio(tally, enqueued)),
                "wal_bytes_per_job": rounded(tally.median(|round| round.enqueue_wal)),
            },
            "drain": {
                "jobs_per_s": rounded(tally.median(drained)),
                "pgq_to_this": rounded(pgq.ratio(tally, drained)),
                "wal_bytes_per_job": rounded(tally.median(|round| round.drain_wal)),
            },
            "latency": {
                "p50_ms": rounded(tally.latency(50)),
                "p99_ms": rounded(tally.latency(99)),
                "samples": tally.samples(),
                "given_up": tally.given_up(),
                "pgq_p50_to_this": rounded(pgq.latency(50) / tally.latency(50)),
            },
            "duplicates": tally.duplicates(),
            "left": tally.rounds.last().map(|round| round.left),
            "kept": tally.rounds.last().map(|round| round.kept),
            "failure": tally.failure,
        })
    }

    fn row(&self, tally: &Tally) -> [String; 13] {
        let pgq = &self.tallies[0];
        let times = |ratio: f64| format!("{ratio:.2}");
        let mark = if tally.entry.transactional { "" } else { "*" };
        [
            tally.entry.name.to_owned(),
            tally.version.clone(),
            rate(tally.median(enqueued)) + mark,
            times(pgq.ratio(tally, enqueued)),
            rate(tally.median(drained)),
            times(pgq.ratio(tally, drained)),
            latency(tally, 50),
            latency(tally, 99),
            times(pgq.latency(50) / tally.latency(50)),
            rate(tally.median(|round| round.enqueue_wal)),
            rate(tally.median(|round| round.drain_wal)),
            if tally.entry.kept.is_empty() { "no" } else { "yes" }.to_owned(),
            tally.duplicates().to_string(),
        ]
    }

    /// Those with at least one round.
    fn measured(&self) -> impl Iterator<Item = &Tally> {
        self.tallies.iter().filter(|tally| !tally.rounds.is_empty())
    }

    fn not_measured(&self) -> impl Iterator<Item = (&str, &str)> {
        let failed = self.tallies.iter().filter_map(|tally| Some((tally.entry.name, tally.failure.as_deref()?)));
        failed.chain(NOT_MEASURED.iter().copied())
    }
}

fn enqueued(round: &Round) -> f64 {
    round.enqueued_per_s
}

fn drained(round: &Round) -> f64 {
    round.drained_per_s
}

fn source(tally: &Tally) -> String {
    let version = &tally.version;
    match tally.entry.runs_in {
        RunsIn::Rust { package: "pgq", .. } => "this tree".to_owned(),
        RunsIn::Rust { package, .. } => format!("{package} {version} from crates.io"),
        RunsIn::Python { package, .. } => format!("{package} {version} from PyPI"),
        RunsIn::Node { package, .. } => format!("{package} {version} from npm"),
    }
}

fn about(tally: &Tally) -> String {
    let ends = match tally.rounds.last() {
        Some(round) if round.kept > 0 => format!("{} ended jobs kept", grouped(&round.kept.to_string())),
        _ => "ended jobs deleted".to_owned(),
    };
    format!("{}; {} jobs a round; none left, {ends}", tally.entry.settings, grouped(&tally.jobs.to_string()))
}

/// Three places are more than a run repeats.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// One that a job has which never started is no latency: the cell says how many of the samples these are.
fn latency(tally: &Tally, percent: usize) -> String {
    let wait = tally.latency(percent);
    if is_given_up(wait) {
        format!(">{} (never: {} of {})", rate(millis(PATIENCE)), tally.given_up(), tally.samples())
    } else {
        format!("{wait:.2}")
    }
}

fn rate(value: f64) -> String {
    grouped(&format!("{value:.0}"))
}

fn grouped(digits: &str) -> String {
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        for (digits, shown) in [("1", "1"), ("999", "999"), ("1000", "1,000"), ("1234567", "1,234,567")] {
            assert_eq!(grouped(digits), shown);
        }
    }

    #[test]
    fn a_latency_at_the_cap_is_told_as_a_job_that_never_started() {
        let mut tally = Tally::new(&crate::adapters::ALL[0], 1);
        tally.rounds.push(Round {
            enqueued_per_s: 1.0,
            drained_per_s: 1.0,
            enqueue_wal: 1.0,
            drain_wal: 1.0,
            waits: vec![1.5, 2.0, 10_000.0],
            duplicates: 0,
            left: 0,
            kept: 0,
        });
        assert_eq!((latency(&tally, 50), latency(&tally, 99)), ("2.00".into(), ">10,000 (never: 1 of 3)".into()));
    }
}
