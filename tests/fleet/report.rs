//! What is printed of a run.

use crate::Plan;
use crate::check::{Findings, Violation};
use crate::crew::Crew;
use crate::deeds::Deeds;

/// How many violations are shown with all that was around them.
const SHOWN: usize = 8;

#[expect(clippy::print_stdout, reason = "a program's result")]
pub(crate) fn print(plan: &Plan, crew: &Crew, findings: &Findings, begun: f64) {
    println!("fleet, {} s, seed {}", plan.span.as_secs(), plan.seed);
    for (what, times) in &crew.deeds.counts {
        line(what, times);
    }
    line("attempts", findings.attempts);
    for approach in &findings.approaches {
        line(&approach.what, &approach.said);
    }
    findings.violations.iter().take(SHOWN).for_each(|violation| detail(violation, &crew.deeds, begun));
    if findings.violations.len() > SHOWN {
        println!("and {} more", findings.violations.len() - SHOWN);
    }
    if findings.violations.is_empty() {
        println!("every limit was kept");
    }
}

#[expect(clippy::print_stdout, reason = "a program's result")]
fn line(what: &str, said: impl std::fmt::Display) {
    println!("  {what:<48} {said:>22}");
}

/// Times of deeds are in seconds from the beginning, those of attempts from what is wrong.
#[expect(clippy::print_stdout, reason = "a program's result")]
fn detail(violation: &Violation, deeds: &Deeds, begun: f64) {
    println!("VIOLATED: {}, {:.3} s after the beginning", violation.what, violation.at - begun);
    violation.there.iter().for_each(|there| println!("    {there}"));
    deeds.around(violation.at).for_each(|(at, what)| println!("    {:.3} s: {what}", at - begun));
}
