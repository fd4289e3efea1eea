use super::*;

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const MINUTE: Duration = Duration::from_mins(1);

fn minutely() -> Cadence {
    Cadence::cron("* * * * *", "UTC").unwrap()
}

fn after(minutes: u32) -> Timestamp {
    START.saturating_add(MINUTE * minutes)
}

#[test]
fn a_tick_is_fired_when_its_time_has_come() {
    let early = due(&minutely(), Missed::Once, START, START.saturating_add(MINUTE / 2));
    assert_eq!(early, Due { ticks: vec![], last: START, next: Some(after(1)) });
    let there = due(&minutely(), Missed::Once, START, after(1));
    assert_eq!(there, Due { ticks: vec![after(1)], last: after(1), next: Some(after(2)) });
}

#[test]
fn what_is_a_little_late_is_fired_whole() {
    let seconds = Cadence::every("1s").unwrap();
    for missed in [Missed::Skip, Missed::Once, Missed::All(1)] {
        assert_eq!(due(&seconds, missed, START, START.saturating_add(Duration::from_secs(7))).ticks.len(), 7);
    }
}

#[test]
fn what_was_missed_is_fired_as_the_policy_says() {
    let now = after(10).saturating_add(MINUTE / 2);
    for (missed, ticks) in [
        (Missed::Skip, vec![]),
        (Missed::Once, vec![after(10)]),
        (Missed::All(3), vec![after(8), after(9), after(10)]),
        (Missed::All(500), (1..=10).map(after).collect()),
    ] {
        let due = due(&minutely(), missed, START, now);
        assert_eq!((due.ticks, due.last), (ticks, after(10)), "{missed:?}");
    }
    assert_eq!(due(&minutely(), Missed::Skip, START, after(10)).ticks, [after(10)]);
}

#[test]
fn a_year_of_seconds_is_no_storm() {
    let (seconds, now) =
        (Cadence::cron("* * * * * *", "UTC").unwrap(), START.saturating_add(Duration::from_hours(8_760)));
    assert_eq!(due(&seconds, Missed::Once, START, now).ticks, [now]);
    assert_eq!(due(&seconds, Missed::All(u16::MAX), START, now).ticks.len(), usize::from(MOST));
}

#[test]
fn a_clock_that_is_set_back_fires_nothing_twice() {
    let back = due(&minutely(), Missed::Once, after(60), after(1));
    assert_eq!((back.ticks, back.last, back.next), (vec![], after(60), Some(after(61))));
}

#[test]
fn a_clock_that_had_been_wrong_by_far_does_not_silence_a_schedule() {
    let far = due(&minutely(), Missed::Once, after(60 * 24 * 365), START);
    assert_eq!((far.ticks, far.last, far.next), (vec![], START, Some(after(1))));
}
