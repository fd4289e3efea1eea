//! When a schedule ticks.
//!
//! **When clocks change.** An expression that names its minutes and hours (`30 2 * * *`, `0 2,14 * * *`, `0 9-17 * * *`) is about
//! times of day: one that doesn't exist because clocks go forward ticks at the first instant that does; one that comes twice
//! because clocks go back ticks the first time only. So each ticks once on every day, and several that are left out together
//! tick as one. An expression with `*` or a step in its seconds, minutes or hours (`*/15 * * * *`) is about intervals: it ticks
//! through the hour that comes twice, and not in the one that is left out. `every` counts seconds and knows no clocks.

use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

use super::ScheduleError;
use super::cron::{self, Expression};
use super::times::Times;
use crate::Timestamp;
use crate::literal;

/// When a schedule ticks: by an expression in a time zone, or every so many seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cadence(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// About intervals.
    Cron(Box<Cron>, TimeZone),
    /// About times of day.
    Times(Times),
    /// Seconds between ticks, counted from the Unix epoch, so that all who ask agree whenever they began.
    Every(i64),
}

impl Cadence {
    /// Either: a cron expression, or `every` and a span, in which no zone counts.
    ///
    /// # Errors
    /// As [`Cadence::cron`] and [`Cadence::every`].
    pub fn read(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        match text.strip_prefix("every ") {
            Some(span) => Self::zone(zone).and_then(|_| Self::every(span)),
            None => Self::cron(text, zone),
        }
    }

    /// By a cron expression: 5 fields, 6 with seconds first, or a nickname such as `@daily`; in a time zone by its IANA name.
    ///
    /// # Errors
    /// What was expected and where; there is no such zone; it can never tick.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let Expression { cron, is_of_times } = cron::parse(expression)?;
        let zone = Self::zone(zone)?;
        let cadence = if is_of_times {
            Self(Kind::Times(Times::new(cron.clone(), zone)))
        } else {
            Self(Kind::Cron(Box::new(cron.clone()), zone))
        };
        // The calendar repeats every 400 years, and what ticks at all ticks in UTC too.
        let once = Self(Kind::Cron(Box::new(cron), TimeZone::UTC)).next(Timestamp::EPOCH);
        match once {
            Some(_) => Ok(cadence),
            None => Err(ScheduleError::whole(
                format!("expected an expression that ticks, got {expression:?}, which never does"),
                expression,
            )),
        }
    }

    /// Every so often: a span of whole seconds, such as `"90s"`.
    ///
    /// # Errors
    /// It isn't a span, or not of whole seconds.
    pub fn every(span: &str) -> Result<Self, ScheduleError> {
        let whole = |message: String| ScheduleError::whole(message, span);
        let read = literal::duration(span).map_err(|error| whole(error.to_string()))?;
        if read < Duration::from_secs(1) || read.subsec_nanos() > 0 {
            return Err(whole(format!("expected a span of whole seconds, at least \"1s\", got {span:?}")));
        }
        Ok(Self(Kind::Every(i64::try_from(read.as_secs()).unwrap_or(i64::MAX))))
    }

    fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
        TimeZone::get(name).map_err(|_| {
            let message = format!("expected the IANA name of a time zone such as \"Europe/Berlin\", got {name:?}");
            ScheduleError::whole(message, name)
        })
    }

    /// The first tick after an instant; `None` at the end of the calendar.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Every(seconds) => {
                from_seconds(seconds_of(after).div_euclid(*seconds).checked_add(1)?.checked_mul(*seconds)?)
            }
            Kind::Times(times) => from_seconds(times.next(instant(after)?)?.as_second()),
            Kind::Cron(cron, zone) => {
                let tick = cron.find_next_occurrence(&zoned(after, zone)?, false).ok()?;
                from_seconds(tick.timestamp().as_second())
            }
        }
    }

    /// The last tick at or before an instant.
    #[must_use]
    pub fn latest(&self, until: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Every(seconds) => from_seconds(seconds_of(until).div_euclid(*seconds).checked_mul(*seconds)?),
            Kind::Times(times) => from_seconds(times.latest(instant(until)?)?.as_second()),
            Kind::Cron(cron, zone) => {
                let tick = cron.find_previous_occurrence(&zoned(until, zone)?, true).ok()?;
                from_seconds(tick.timestamp().as_second())
            }
        }
    }
}

fn seconds_of(instant: Timestamp) -> i64 {
    instant.as_micros().div_euclid(1_000_000)
}

fn from_seconds(seconds: i64) -> Option<Timestamp> {
    seconds.checked_mul(1_000_000).map(Timestamp::from_micros)
}

/// The second that it lies in.
fn instant(instant: Timestamp) -> Option<Instant> {
    Instant::from_second(seconds_of(instant)).ok()
}

/// The same, as clocks in the zone show it.
fn zoned(after: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    instant(after).map(|instant| instant.to_zoned(zone.clone()))
}

#[cfg(test)]
mod tests;
