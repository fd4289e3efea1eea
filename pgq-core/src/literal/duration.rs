//! Spans of time: `500ms`, `30s`, `10m`, `1h30m`, `7d`.

use std::time::Duration;

use super::LiteralError;

/// The longest span that is taken: a hundred years of 365 days. What is longer is a slip, and could overflow an instant.
pub const MAX_SPAN: Duration = Duration::from_hours(100 * 365 * 24);

/// The units, longest suffix first where one ends with another.
const UNITS: [(&str, u64); 6] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// Reads a span: whole numbers, each with its unit (`us`, `ms`, `s`, `m`, `h`, `d`), added up, of at most [`MAX_SPAN`].
///
/// # Errors
/// What was expected, and the text.
pub fn duration(text: &str) -> Result<Duration, LiteralError> {
    let error =
        || LiteralError::new("a span with units such as \"500ms\", \"30s\", \"10m\", \"1h30m\" or \"7d\"", text);
    let (mut rest, mut micros) = (text.trim(), 0_u64);
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let scale = UNITS.iter().find(|known| known.0 == unit).ok_or_else(error)?.1;
        let part = number.parse::<u64>().map_err(|_| error())?.checked_mul(scale).ok_or_else(too_long(text))?;
        micros = micros.checked_add(part).ok_or_else(too_long(text))?;
        rest = tail.trim_start();
    }
    let span = Duration::from_micros(micros);
    if span > MAX_SPAN { Err(too_long(text)()) } else { Ok(span) }
}

fn too_long(text: &str) -> impl Fn() -> LiteralError {
    move || LiteralError::new("a span of at most 100 years", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_unit() {
        for (text, micros) in [
            ("0s", 0),
            ("250us", 250),
            ("500ms", 500_000),
            ("30s", 30_000_000),
            ("10m", 600_000_000),
            ("1h30m", 5_400_000_000),
            ("1h 30m", 5_400_000_000),
            ("7d", 604_800_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_examples() {
        for text in ["", " ", "30", "s", "-1s", "1.5s", "1 s", "30 sec", "1y", "∞", "99999999999999999999s"] {
            let error = duration(text).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.starts_with("expected a span")), "{text}: {error:?}");
        }
        assert!(duration("36501d").is_err() && duration("36500d").is_ok());
    }
}
