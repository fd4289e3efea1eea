//! Nobody waits whom nothing hinders: once nothing is done to the fleet any more, and as long as there are jobs, each limit has
//! somebody running or lets the next one start as soon as its rate does. Where the machine is slow it isn't the limit that hinders:
//! so nobody is passed by those behind him, of the same tasks and of other values.

use crate::check::{Approach, Violation, counted, shown};
use crate::ledger::{Attempt, Ledger};
use crate::limits::{Each, LIMITS, Limit};

/// After what time whoever was forgotten is found, at the latest (`pgq-core/src/limit/gatehouse.rs`: 10 s), and what it takes then.
const FOUND: f64 = 13.0;

pub(super) fn check(ledger: &Ledger, calm: f64, approaches: &mut Vec<Approach>) -> Vec<Violation> {
    let (mut longest, mut violations) = (0.0_f64, Vec::new());
    for limit in LIMITS.iter().filter(|limit| limit.each != Each::Process) {
        for (key, attempts) in counted(limit, &ledger.attempts) {
            let Some((idle, next)) = longest_idle(ledger, limit, &attempts, calm) else { continue };
            let passed = |other: &Attempt| {
                limit.tasks.contains(&other.task.as_str())
                    && other.job > next.job
                    && (next.begun - idle..next.begun - FOUND).contains(&other.begun)
            };
            longest = longest.max(idle);
            let is_passed = limit.each == Each::All || ledger.attempts.iter().any(passed);
            if idle > FOUND && is_passed {
                let what = format!("nothing of {} {key} ran for {idle:.1} s, and somebody waited", limit.what);
                violations.push(Violation { at: next.begun, what, there: shown([next], next.begun) });
            }
        }
    }
    let said = format!("{longest:.2} s");
    approaches.push(Approach { what: "longest wait that no limit hindered".to_owned(), said });
    violations
}

/// For how long at most nothing ran or began though it might have, and what began then.
fn longest_idle<'a>(ledger: &Ledger, limit: &Limit, attempts: &[&'a Attempt], calm: f64) -> Option<(f64, &'a Attempt)> {
    let pause = limit.declared[1].pace.map_or(0.0, |(rate, _)| 1.0 / rate);
    let mut free = calm;
    let mut idle: Option<(f64, &Attempt)> = None;
    for attempt in attempts {
        // Whoever waits because his workers died isn't forgotten.
        let waited = attempt.begun - free.max(ledger.paused_until(attempt));
        if attempt.begun > calm && idle.is_none_or(|(known, _)| waited > known) {
            idle = Some((waited, attempt));
        }
        free = free.max(attempt.ended).max(attempt.begun + pause);
    }
    idle
}
