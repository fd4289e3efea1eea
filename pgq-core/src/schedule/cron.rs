//! The text of a cron expression: split into its fields here, so that a mistake is told where it stands.

use std::ops::Range;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::ScheduleError;

/// A field, and what may stand in it.
struct Field {
    what: &'static str,
    /// Another valid field for each place around it, in the order of six.
    place: usize,
}

const FIELDS: [Field; 6] = [
    Field { what: "seconds of 0-59", place: 0 },
    Field { what: "minutes of 0-59", place: 1 },
    Field { what: "hours of 0-23", place: 2 },
    Field { what: "days of 1-31 or L", place: 3 },
    Field { what: "months of 1-12 or JAN-DEC", place: 4 },
    Field { what: "weekdays of 0-7 or SUN-SAT", place: 5 },
];

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Longer ones are a slip, and would be told of in full.
const MAX_LENGTH: usize = 256;

/// Reads an expression of 5 fields (minute, hour, day, month, weekday), of 6 with seconds before them, or a nickname.
pub(super) fn parse(text: &str) -> Result<Cron, ScheduleError> {
    let whole = |message: &str| ScheduleError::whole(message, text);
    if text.trim().is_empty() {
        return Err(whole("expected a cron expression such as \"*/5 * * * *\", got an empty one"));
    }
    if text.len() > MAX_LENGTH {
        return Err(whole("expected a cron expression of at most 256 bytes"));
    }
    if text.trim_start().starts_with('@') {
        return nickname(text);
    }
    let ranges = fields(text);
    let (5 | 6) = ranges.len() else {
        let message = format!("expected a cron expression of 5 fields, or of 6 with seconds, got {}", ranges.len());
        return Err(ScheduleError::whole(message, text));
    };
    for (field, range) in FIELDS[6 - ranges.len()..].iter().zip(&ranges) {
        check(field, text, range.clone())?;
    }
    parser().parse(text).map_err(|error| whole(&format!("expected a cron expression, got {text:?}: {error}")))
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

fn nickname(text: &str) -> Result<Cron, ScheduleError> {
    let known = NICKNAMES.iter().find(|(name, _)| text.trim().eq_ignore_ascii_case(name));
    known.and_then(|(_, expression)| parser().parse(expression).ok()).ok_or_else(|| {
        let names: Vec<_> = NICKNAMES.iter().map(|(name, _)| *name).collect();
        ScheduleError::whole(format!("expected one of {}, got {:?}", names.join(", "), text.trim()), text)
    })
}

/// Where the fields stand.
fn fields(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut rest = 0;
    for word in text.split_whitespace() {
        let start = rest + text[rest..].find(word).unwrap_or_default();
        rest = start + word.len();
        ranges.push(start..rest);
    }
    ranges
}

/// Each item of the field's list alone, so that the error is about the one that is wrong.
fn check(field: &Field, text: &str, range: Range<usize>) -> Result<(), ScheduleError> {
    let mut start = range.start;
    for item in text[range].split(',') {
        if !stands(field, item) {
            let what = field.what;
            let message = format!("expected {what}, `*`, ranges `1-5` or steps `*/5`, joined by commas, got {item:?}");
            return Err(ScheduleError::at(message, text, start..start + item.len()));
        }
        start += item.len() + 1;
    }
    Ok(())
}

fn stands(field: &Field, item: &str) -> bool {
    let mut fields = ["0", "0", "0", "*", "*", "*"];
    fields[field.place] = item;
    // An empty item would be passed over, and names are words wherever they stand.
    let named = item.chars().filter(char::is_ascii_alphabetic).count() > 1;
    !item.is_empty() && (!named || field.place >= 4) && parser().parse(&fields.join(" ")).is_ok()
}
