//! The text of a cron expression: split into its fields here, so that a mistake is told where it stands.

use std::ops::Range;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::ScheduleError;

/// A field, and what may stand in it.
struct Field {
    what: &'static str,
    /// In the order of six.
    place: usize,
    /// How many values there are, the most that a step can be.
    size: u32,
    /// The words that may stand in it.
    words: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { what: "seconds of 0-59", place: 0, size: 60, words: &[] },
    Field { what: "minutes of 0-59", place: 1, size: 60, words: &[] },
    Field { what: "hours of 0-23", place: 2, size: 24, words: &[] },
    Field { what: "days of 1-31 or L", place: 3, size: 31, words: &["L", "W", "LW"] },
    Field { what: "months of 1-12 or JAN-DEC", place: 4, size: 12, words: &MONTHS },
    Field { what: "weekdays of 0-7 or SUN-SAT", place: WEEKDAY, size: 7, words: &DAYS },
];

const WEEKDAY: usize = 5;
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// The last ones of a month are `5L` or `FRIL`.
const DAYS: [&str; 15] =
    ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUNL", "MONL", "TUEL", "WEDL", "THUL", "FRIL", "SATL", "L"];

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

/// An expression that was read.
pub(super) struct Expression {
    pub(super) cron: Cron,
    /// Whether it names its seconds, minutes and hours, and so is about times of day.
    pub(super) is_of_times: bool,
}

impl Expression {
    fn new(cron: Cron, fields: &[&str]) -> Self {
        let named = |field: &&str| !field.contains(['*', '/', '?']);
        Self { cron, is_of_times: fields[..fields.len() - 3].iter().all(named) }
    }
}

/// Reads an expression of 5 fields (minute, hour, day, month, weekday), of 6 with seconds before them, or a nickname.
pub(super) fn parse(text: &str) -> Result<Expression, ScheduleError> {
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
    let cron = parser().parse(text);
    let cron = cron.map_err(|error| whole(&format!("expected a cron expression, got {text:?}: {error}")))?;
    Ok(Expression::new(cron, &ranges.into_iter().map(|range| &text[range]).collect::<Vec<_>>()))
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

fn nickname(text: &str) -> Result<Expression, ScheduleError> {
    let known = NICKNAMES.iter().find(|(name, _)| text.trim().eq_ignore_ascii_case(name));
    known.and_then(|(_, expression)| parse(expression).ok()).ok_or_else(|| {
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
    let is_list = text[range.clone()].contains(',');
    for item in text[range].split(',') {
        if let Some(message) = mistake(field, item, is_list) {
            return Err(ScheduleError::at(message, text, start..start + item.len()));
        }
        start += item.len() + 1;
    }
    Ok(())
}

fn mistake(field: &Field, item: &str, is_list: bool) -> Option<String> {
    let what = field.what;
    let step = item.split_once('/').and_then(|(_, step)| step.parse().ok());
    if let Some(step) = step.filter(|step: &u32| *step > field.size) {
        let most = field.size;
        return Some(format!(
            "expected steps of at most {most} in {what}, got {step}: for what is longer there is `every`"
        ));
    }
    if field.place == WEEKDAY && item.eq_ignore_ascii_case("L") {
        return Some("expected the weekday whose last one in a month is meant, such as `5L`, got \"L\"".to_owned());
    }
    // An empty item would be passed over, and so would be a `*` beside others.
    let vanishes = item.is_empty() || is_list && matches!(item, "*" | "?");
    let stands = !vanishes && are_words_of(field, item) && parses(field, item);
    (!stands).then(|| format!("expected {what}, `*`, ranges `1-5` or steps `*/5`, joined by commas, got {item:?}"))
}

/// Names count in the field that they are of, and in no other.
fn are_words_of(field: &Field, item: &str) -> bool {
    let mut words = item.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words.all(|word| field.words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

fn parses(field: &Field, item: &str) -> bool {
    let mut fields = ["0", "0", "0", "*", "*", "*"];
    fields[field.place] = item;
    parser().parse(&fields.join(" ")).is_ok()
}
