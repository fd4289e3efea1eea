//! How figures are shown: to people as a table, to programs as JSON.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::conditions::Conditions;
use crate::figures::Section;

pub(crate) fn table(conditions: &Conditions, sections: &[Section]) -> String {
    let mut table = String::new();
    for (name, value) in conditions {
        // Writing to a string can't fail.
        let _ = writeln!(table, "{name:<20}  {value}");
    }
    for section in sections {
        let _ = writeln!(table, "\n{}: {}", section.name, section.sizes);
        for (name, value) in &section.figures {
            let _ = writeln!(table, "  {name:<18}  {:>12}", number(*value));
        }
    }
    table
}

pub(crate) fn json(conditions: &Conditions, sections: &[Section]) -> Value {
    let conditions = conditions.iter().map(|(name, value)| (name.replace(' ', "_"), Value::from(value.as_str())));
    let mut object = Map::from_iter([("conditions".to_owned(), Value::Object(conditions.collect()))]);
    for section in sections {
        let mut shown = Map::from_iter([("sizes".to_owned(), Value::from(section.sizes.as_str()))]);
        shown.extend(section.figures.iter().map(|(name, value)| ((*name).to_owned(), Value::from(rounded(*value)))));
        object.insert(section.name.to_owned(), Value::Object(shown));
    }
    Value::Object(object)
}

/// Rates in thousands without fractions, small numbers with three places.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "not counted".to_owned();
    }
    if value.abs() < 1_000.0 {
        return format!("{value:.3}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::section;

    #[test]
    fn each_section_says_what_sizes_its_figures_are_of() {
        let (conditions, sections) = (vec![("cpu", "any".to_owned())], [section("drain", "5 jobs", [("per_s", 2.0)])]);
        assert!(table(&conditions, &sections).contains("\ndrain: 5 jobs\n"));
        assert_eq!(json(&conditions, &sections)["drain"], serde_json::json!({ "sizes": "5 jobs", "per_s": 2.0 }));
    }

    #[test]
    fn large_numbers_are_grouped_and_small_ones_keep_three_places() {
        for (value, shown) in [(0.5, "0.500"), (999.4, "999.400"), (1_000.0, "1,000"), (1_234_567.8, "1,234,568")] {
            assert_eq!(number(value), shown);
        }
    }
}
