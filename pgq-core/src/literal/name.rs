//! Names: of tasks and queues, and the SQL identifiers that a configuration may choose.

use super::LiteralError;

/// The longest name of a task or a queue, in bytes.
pub const MAX_NAME: usize = 128;

/// Checks the name of a task or a queue: 1 to [`MAX_NAME`] bytes of ASCII letters, digits and `_ - . : /`, beginning
/// with a letter or `_`. Such a name reads the same in SQL, a shell, a URL and a metric's label.
///
/// # Errors
/// What was expected, and the text.
pub fn name(text: &str) -> Result<&str, LiteralError> {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let reads = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:/".contains(c));
    if begins && reads && text.len() <= MAX_NAME {
        return Ok(text);
    }
    let shown: String = text.chars().take(MAX_NAME + 1).collect();
    Err(LiteralError::new("a name of 1 to 128 letters, digits and `_ - . : /` that begins with a letter or `_`", shown))
}

/// Checks a part of an SQL identifier that comes from a configuration: at most `max` bytes of lower-case ASCII letters,
/// digits and `_`, not beginning with a digit. PostgreSQL cuts identifiers at 63 bytes without a word, hence the bound.
///
/// # Errors
/// What was expected, and the text.
pub fn identifier(text: &str, max: usize) -> Result<&str, LiteralError> {
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let reads = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if begins && reads && text.len() <= max {
        return Ok(text);
    }
    let expected = format!("1 to {max} of a-z, 0-9 and `_` that don't begin with a digit");
    Err(LiteralError::new(expected, text.chars().take(max + 1).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_read_everywhere_are_taken() {
        for text in ["a", "_x", "send_welcome", "billing.charge", "mail/de:v2", "A-1", &"n".repeat(MAX_NAME)] {
            assert_eq!(name(text), Ok(text));
        }
    }

    #[test]
    fn odd_empty_and_long_names_are_refused() {
        for text in ["", "1a", "-a", "a b", "naïve", "a\0", "a\n", "a'", "a\"", &"n".repeat(MAX_NAME + 1)] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn identifiers_hold_nothing_that_needs_escaping() {
        assert!(identifier("jobs_2", 32).is_ok());
        for text in ["", "2jobs", "Jobs", "a-b", "a\"b", "a;b", "a b", &"x".repeat(33)] {
            assert!(identifier(text, 32).is_err(), "{text:?}");
        }
    }
}
