//! What people write for a schedule of every so often.

use super::Cadence;

/// The words of a unit's name, and its letter.
const UNITS: [(&str, &str); 4] = [("second", "s"), ("minute", "m"), ("hour", "h"), ("day", "d")];

/// The span that `90s`, `EVERY 90s`, `@every 90s` or `every 90 seconds` means, as [`Cadence::every`] takes it; an example where
/// it can't be told. `None` for what isn't about a span.
#[must_use]
pub fn meant_span(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let Some(span) = text.strip_prefix('@').unwrap_or(&text).strip_prefix("every") else {
        return Cadence::every(&text).is_ok().then_some(text);
    };
    Some(spelled(span.trim()).unwrap_or_else(|| "90s".to_owned()))
}

fn spelled(span: &str) -> Option<String> {
    let in_words = || {
        let (number, unit) = span.split_at(span.find(|c: char| !c.is_ascii_digit())?);
        let unit = unit.trim().trim_end_matches('s');
        let (_, letter) = UNITS.into_iter().find(|(word, _)| !unit.is_empty() && word.starts_with(unit))?;
        Some(format!("{number}{letter}"))
    };
    let spelled = if Cadence::every(span).is_ok() { Some(span.to_owned()) } else { in_words() };
    spelled.filter(|span| Cadence::every(span).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_known_however_it_is_said() {
        for (text, span) in [
            ("90s", "90s"),
            (" 1h30m ", "1h30m"),
            ("every 90s", "90s"),
            ("EVERY 5s", "5s"),
            ("@every 5m", "5m"),
            ("every 5 minutes", "5m"),
            ("every 2 hrs", "90s"),
            ("every 10 sec", "10s"),
            ("every minute", "90s"),
            ("every 0.5s", "90s"),
            ("every", "90s"),
        ] {
            assert_eq!(meant_span(text).as_deref(), Some(span), "{text}");
        }
    }

    #[test]
    fn an_expression_is_about_no_span() {
        for text in ["", "* * * * *", "@daily", "5", "0s", "1s500ms", "soon"] {
            assert_eq!(meant_span(text), None, "{text}");
        }
    }
}
