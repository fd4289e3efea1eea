//! The nearest valid name for a typo.

/// The name of `known` that `given` was probably meant to be.
#[must_use]
pub fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    // A name of one letter is a slip of every other one.
    let near = |name: &&str| {
        let (far, length) = (distance(given, name), name.chars().count());
        far <= 1.max(length / 3) && far < length
    };
    known.iter().copied().filter(near).min_by_key(|name| distance(given, name))
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["name", "aliases", "queue", "priority", "retry", "attempts", "keep", "schema", "crate"];

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        for (given, meant) in [
            ("quee", "queue"),
            ("qeuue", "queue"),
            ("attempt", "attempts"),
            ("alias", "aliases"),
            ("prioity", "priority"),
            ("shcema", "schema"),
            ("kep", "keep"),
        ] {
            assert_eq!(nearest(given, KNOWN), Some(meant), "{given}");
        }
    }

    #[test]
    fn another_word_finds_nothing() {
        for given in ["database", "", "x", "worker", "timeout"] {
            assert_eq!(nearest(given, KNOWN), None, "{given}");
        }
        assert_eq!(nearest("r", &["b"]), None);
    }
}
