//! How the policies read: in attributes, in tables and in what is shown of a schedule.

use std::fmt;

use super::{MOST, Missed, Overlap};

impl Missed {
    /// Reads `skip`, `once` or `all(5)`; `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "skip" => Some(Self::Skip),
            "once" => Some(Self::Once),
            _ => {
                let most = text.strip_prefix("all(")?.strip_suffix(')')?.parse().ok()?;
                (1..=MOST).contains(&most).then_some(Self::All(most))
            }
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => f.write_str("skip"),
            Self::Once => f.write_str("once"),
            Self::All(most) => write!(f, "all({most})"),
        }
    }
}

impl Overlap {
    /// Reads `allow`, `skip` or `queue`; `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "allow" => Some(Self::Allow),
            "skip" => Some(Self::Skip),
            "queue" => Some(Self::Queue),
            _ => None,
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::Queue => "queue",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_as_they_are_shown() {
        for missed in [Missed::Skip, Missed::Once, Missed::All(1), Missed::All(MOST)] {
            assert_eq!(Missed::read(&missed.to_string()), Some(missed));
        }
        for overlap in [Overlap::Allow, Overlap::Skip, Overlap::Queue] {
            assert_eq!(Overlap::read(&overlap.to_string()), Some(overlap));
        }
        for text in ["", "all", "all(0)", "all(1001)", "all(-1)", "all(5", "Skip"] {
            assert_eq!(Missed::read(text), None, "{text}");
        }
    }
}
