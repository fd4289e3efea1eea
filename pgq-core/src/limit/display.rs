//! How bounds read: `2 at once, 5 starts a second (burst 10)`.

use std::fmt;
use std::time::Duration;

use super::{Bounds, Rate, per_second};

/// The spans that starts are counted in, in nanoseconds, and up to how many.
const SPANS: [(&str, u128, u128); 4] = [
    ("a second", Duration::from_secs(1).as_nanos(), 1_000_000),
    ("a minute", Duration::from_mins(1).as_nanos(), 10_000),
    ("an hour", Duration::from_hours(1).as_nanos(), 10_000),
    ("a day", Duration::from_hours(24).as_nanos(), 10_000),
];

/// `5 starts a second (burst 10)`, and without the burst where that is what falls into a second.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |(name, span, most)| Some((whole(span, self.interval).filter(|count| *count <= most)?, name));
        match SPANS.into_iter().find_map(told) {
            Some((1, span)) => write!(f, "1 start {span}")?,
            Some((count, span)) => write!(f, "{count} starts {span}")?,
            None => write!(f, "1 start in {}", Span(self.interval))?,
        }
        if self.burst == per_second(self.interval) { Ok(()) } else { write!(f, " (burst {})", self.burst) }
    }
}

/// `2 at once, 5 starts a second`; `any number` where nothing is bounded, `none may start` where none may run.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.concurrency, self.rate) {
            (Some(0), _) => f.write_str("none may start"),
            (Some(most), Some(rate)) => write!(f, "{most} at once, {rate}"),
            (Some(most), None) => write!(f, "{most} at once"),
            (None, Some(rate)) => rate.fmt(f),
            (None, None) => f.write_str("any number"),
        }
    }
}

/// How many starts fall into a span, where [`Rate::new`] makes this interval of a whole number of them.
fn whole(span: u128, interval: Duration) -> Option<u128> {
    let count = span.div_ceil(interval.as_nanos());
    (span.div_ceil(count) == interval.as_nanos()).then_some(count)
}

/// As a task's options write it, in the largest unit that it is a multiple of.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
        match units.into_iter().find(|(_, unit)| self.0.subsec_nanos() == 0 && seconds.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", seconds / unit),
            None => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_read_as_they_are_declared() {
        for (count, span, text) in [
            (20.0, SECOND, "20 starts a second"),
            (1.0, SECOND, "1 start a second"),
            (3.0, SECOND, "3 starts a second"),
            (1_000_000.0, SECOND, "1000000 starts a second"),
            (100.0, SECOND * 60, "100 starts a minute"),
            (0.5, SECOND, "30 starts a minute"),
            (2.5, SECOND, "150 starts a minute"),
            (7.0, SECOND * 3_600, "7 starts an hour"),
            (1.0, SECOND * 86_400, "1 start a day"),
            (1.0, SECOND * 7, "1 start in 7s"),
            (1.0, Duration::from_millis(7), "1 start in 7ms"),
            (1.0, SECOND * 5_400, "16 starts a day"),
            (1.0, SECOND * 86_400 * 7, "1 start in 7d"),
            (1.0, Rate::LONGEST, "1 start in 366d"),
        ] {
            assert_eq!(Rate::new(count, span).unwrap().to_string(), text, "{count} in {span:?}");
        }
    }

    #[test]
    fn a_burst_is_told_where_it_is_another_one_than_falls_into_a_second() {
        let rate = Rate::new(5.0, SECOND).unwrap();
        let burst = |burst| rate.with_burst(burst).unwrap().to_string();
        assert_eq!(
            [burst(5), burst(10), burst(1)].map(|text| text.replace("5 starts a second", "")),
            ["", " (burst 10)", " (burst 1)"]
        );
    }

    #[test]
    fn bounds_read_as_a_line() {
        let rate = Rate::new(5.0, SECOND);
        for (concurrency, rate, text) in [
            (Some(2), None, "2 at once"),
            (None, rate, "5 starts a second"),
            (Some(2), rate.and_then(|rate| rate.with_burst(10)), "2 at once, 5 starts a second (burst 10)"),
            (Some(0), rate, "none may start"),
            (None, None, "any number"),
        ] {
            assert_eq!(Bounds { concurrency, rate }.to_string(), text);
        }
    }
}
