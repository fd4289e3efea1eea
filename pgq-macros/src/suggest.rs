//! The nearest valid word for a typo, or for what others call it.

/// What others call it.
const SYNONYMS: &[(&str, &str)] = &[
    ("max_attempts", "attempts"),
    ("retries", "attempts"),
    ("max_retries", "attempts"),
    ("backoff", "retry"),
    ("prio", "priority"),
    ("lane", "queue"),
    ("retention", "keep"),
    ("deadline", "expires_in"),
    ("within", "for"),
    ("window", "for"),
    ("key", "by"),
    ("by", "key"),
    ("field", "key"),
    ("max_concurrency", "concurrency"),
    ("rate", "rps"),
    ("rate_limit", "rps"),
    ("timezone", "tz"),
    ("time_zone", "tz"),
    ("zone", "tz"),
    ("interval", "every"),
    ("misfire", "missed"),
    ("catchup", "missed"),
    ("catch_up", "missed"),
];

/// The name of `known` that `given` was probably meant to be.
pub(crate) fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    if let Some((_, meant)) = SYNONYMS.iter().find(|(other, _)| *other == given) {
        return known.iter().copied().find(|name| name == meant);
    }
    pgq_core::suggest::nearest(given, known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_others_call_it_is_known() {
        let known = ["queue", "attempts", "keep"];
        for (given, meant) in [("max_attempts", "attempts"), ("retention", "keep"), ("quee", "queue")] {
            assert_eq!(nearest(given, &known), Some(meant));
        }
    }
}
