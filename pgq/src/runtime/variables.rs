//! Variables of the environment that look like a worker program's and aren't: it would start, and not do what was meant.

use std::env;

use pgq_core::suggest::nearest;

const PREFIX: &str = "PGQ_";

/// Those that there are.
const KNOWN: &[&str] = &[
    "SCHEMA",
    "PREFIX",
    "TASKS",
    "QUEUES",
    "SLOTS",
    "BLOCKING_SLOTS",
    "DRAIN_TIMEOUT",
    "LEASE",
    "POLL_ONLY",
    "SYNCHRONOUS_COMMIT",
    "MAX_PAYLOAD",
];

/// What only a flag says.
const FLAGS: &[&str] = &[
    "DATABASE_URL",
    "MEMORY",
    "MIGRATE",
    "DRAIN",
    "SHUTDOWN_ON_LISTENER_FAILURE",
    "RESTART",
    "TASKS_ONLY",
    "SCHEDULES_ONLY",
    "PRUNE_SCHEDULES",
];

/// What to say of those of this process.
pub(super) fn doubts() -> Vec<String> {
    env::vars_os().filter_map(|(name, _)| doubt(name.to_str()?)).collect()
}

/// Names that are near none of ours are somebody else's.
fn doubt(name: &str) -> Option<String> {
    let given = name.strip_prefix(PREFIX).filter(|given| !KNOWN.contains(given))?;
    let meant = FLAGS.iter().copied().find(|flag| *flag == given);
    let meant = meant.or_else(|| nearest(given, &[KNOWN, FLAGS].concat()))?;
    Some(match meant {
        "DATABASE_URL" => format!("{name} says nothing to a worker, did you mean `DATABASE_URL`?"),
        flag if FLAGS.contains(&flag) => {
            let flag = flag.to_lowercase().replace('_', "-");
            format!("{name} says nothing to a worker, did you mean the flag `--{flag}`, which has no variable?")
        }
        known => format!("{name} says nothing to a worker, did you mean `{PREFIX}{known}`?"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::flags::HELP;
    use super::*;

    #[test]
    fn what_is_near_one_of_ours_is_told_of() {
        for (name, meant) in [
            ("PGQ_SLOT", "`PGQ_SLOTS`"),
            ("PGQ_DRAIN_TIMOUT", "`PGQ_DRAIN_TIMEOUT`"),
            ("PGQ_POLLONLY", "`PGQ_POLL_ONLY`"),
            ("PGQ_RESTART", "the flag `--restart`"),
            ("PGQ_TASK_ONLY", "the flag `--tasks-only`"),
            ("PGQ_DATABASE_URL", "`DATABASE_URL`"),
        ] {
            let doubt = doubt(name).unwrap_or_default();
            assert!(doubt.starts_with(name) && doubt.contains(meant), "{name}: {doubt}");
        }
    }

    #[test]
    fn what_is_ours_or_somebody_elses_is_not() {
        for name in
            ["PGQ_SLOTS", "PGQ_MAX_PAYLOAD", "PGQ_TEST_DATABASE_URL", "PGQ_TESTDB_URL", "PGQ_BENCH_SLOTS", "PATH"]
        {
            assert_eq!(doubt(name), None);
        }
    }

    #[test]
    fn every_flag_and_variable_of_the_help_is_known() {
        let words = HELP.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
        for word in words {
            if let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty() && *flag != "help") {
                let flag = flag.to_uppercase().replace('-', "_");
                assert!(KNOWN.contains(&flag.as_str()) || FLAGS.contains(&flag.as_str()), "{word}");
            }
            if let Some(name) = word.strip_prefix(PREFIX) {
                assert!(KNOWN.contains(&name), "{word}");
            }
        }
    }
}
