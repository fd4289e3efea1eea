//! The order within a key whose jobs run one at a time: first attempts begin in the order in which their jobs were enqueued. Not
//! those of a job whose worker died, which goes to the back.

use std::collections::HashMap;

use crate::check::{Violation, shown};
use crate::ledger::{Attempt, Ledger};

const SERIAL: &str = "accounts";

pub(super) fn check(ledger: &Ledger) -> Vec<Violation> {
    let mut firsts: HashMap<i64, &Attempt> = HashMap::new();
    // They stand in the order in which they began.
    for attempt in ledger.attempts.iter().filter(|attempt| attempt.task == SERIAL) {
        firsts.entry(attempt.job).or_insert(attempt);
    }
    let mut firsts: Vec<&Attempt> = firsts
        .into_values()
        .filter(|attempt| ledger.crashes.get(&attempt.job).is_some_and(|times| *times == 0))
        .collect();
    firsts.sort_by_key(|attempt| attempt.job);
    let mut latest: HashMap<&str, &Attempt> = HashMap::new();
    let mut violations = Vec::new();
    for attempt in firsts {
        let latest = latest.entry(&attempt.key).or_insert(attempt);
        if attempt.begun < latest.begun {
            let what = format!("job {} of {SERIAL} {} overtook {}", attempt.job, attempt.key, latest.job);
            violations.push(Violation { at: attempt.begun, what, there: shown([*latest, attempt], attempt.begun) });
        } else {
            *latest = attempt;
        }
    }
    violations
}
