//! Figures: how they are told, and how rounds become one.

use std::time::Duration;

/// The figures of one measurement, or of one part of it, by name.
pub struct Section {
    /// What they are of.
    pub name: &'static str,
    /// How much of what was measured, and how often.
    pub sizes: String,
    /// Name and value of each.
    pub figures: Vec<(&'static str, f64)>,
}

/// `figures` under a name, with the sizes that they are of.
pub fn section(
    name: &'static str,
    sizes: impl Into<String>,
    figures: impl IntoIterator<Item = (&'static str, f64)>,
) -> Section {
    Section { name, sizes: sizes.into(), figures: figures.into_iter().collect() }
}

/// So many in a second.
#[must_use]
pub fn per_second(count: u32, took: Duration) -> f64 {
    f64::from(count) / took.as_secs_f64()
}

/// A span in milliseconds.
#[must_use]
pub fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// The value in the middle, or between the two that are.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let values = sorted(values);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        (_, middle) => values[middle],
    }
}

/// The value that `percent` of all are no larger than.
#[must_use]
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let values = sorted(values);
    let place = (values.len() * percent).div_ceil(100).max(1) - 1;
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// The median of the rounds' own ratios: what slowed a whole round down doesn't count.
#[must_use]
pub fn ratio(ours: &[f64], raw: &[f64]) -> f64 {
    median(&ours.iter().zip(raw).map(|(ours, raw)| ours / raw).collect::<Vec<_>>())
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle_and_a_percentile_on_a_value() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(median(&[3.0, 1.0, 2.0]), 2.0) && close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(close(percentile(&[2.0, 1.0, 4.0, 3.0], 50), 2.0) && close(percentile(&[1.0, 2.0], 99), 2.0));
        assert!(median(&[]).is_nan() && percentile(&[], 99).is_nan());
    }
}
