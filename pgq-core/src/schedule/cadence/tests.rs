use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::from_micros(text.parse::<Instant>().unwrap().as_microsecond())
}

/// The next ticks after an instant.
fn ticks(cadence: &Cadence, after: &str, count: usize) -> Vec<String> {
    let first = cadence.next(at(after));
    std::iter::successors(first, |tick| cadence.next(*tick)).take(count).map(|tick| tick.to_string()).collect()
}

fn berlin(expression: &str) -> Cadence {
    Cadence::cron(expression, "Europe/Berlin").unwrap()
}

#[test]
fn expressions_tick_by_the_clocks_of_their_zone() {
    assert_eq!(ticks(&berlin("30 9 * * MON-FRI"), "2026-01-02T12:00:00Z", 1), ["2026-01-05T08:30:00Z"]);
    assert_eq!(ticks(&berlin("@daily"), "2026-07-01T12:00:00Z", 1), ["2026-07-01T22:00:00Z"]);
    let seconds = Cadence::cron("*/20 * * * * *", "UTC").unwrap();
    assert_eq!(ticks(&seconds, "2026-01-01T00:00:19.5Z", 2), ["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"]);
    assert_eq!(
        ticks(&Cadence::cron("0 0 29 2 *", "UTC").unwrap(), "2026-01-01T00:00:00Z", 1),
        ["2028-02-29T00:00:00Z"]
    );
}

#[test]
fn a_time_that_is_left_out_when_clocks_go_forward_ticks_at_the_first_instant_after() {
    let ticked = ticks(&berlin("30 2 * * *"), "2026-03-28T12:00:00Z", 2);
    assert_eq!(ticked, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
}

#[test]
fn a_time_that_comes_twice_when_clocks_go_back_ticks_once() {
    let ticked = ticks(&berlin("30 2 * * *"), "2026-10-24T12:00:00Z", 2);
    assert_eq!(ticked, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[test]
fn intervals_go_on_through_both_changes() {
    let forward = ticks(&berlin("*/30 * * * *"), "2026-03-29T00:00:00Z", 3);
    assert_eq!(forward, ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]);
    let back = ticks(&berlin("*/30 * * * *"), "2026-10-25T00:00:00Z", 3);
    assert_eq!(back, ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"]);
}

#[test]
fn looking_back_finds_what_looking_ahead_found() {
    for expression in ["*/15 * * * *", "30 2 * * *", "0 */7 * * *", "0 12 L * *", "7 1 * * 0"] {
        for from in ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"] {
            let cadence = berlin(expression);
            let mut tick = cadence.next(at(from)).unwrap();
            for _ in 0..60 {
                let next = cadence.next(tick).unwrap();
                assert_eq!(cadence.latest(tick), Some(tick), "{expression} at {tick}");
                assert_eq!(
                    cadence.latest(next.saturating_sub(Duration::from_micros(1))),
                    Some(tick),
                    "{expression} before {next}"
                );
                tick = next;
            }
        }
    }
}

#[test]
fn every_counts_whole_seconds_from_the_epoch() {
    let cadence = Cadence::every("90s").unwrap();
    assert_eq!(ticks(&cadence, "1970-01-01T00:01:29Z", 2), ["1970-01-01T00:01:30Z", "1970-01-01T00:03:00Z"]);
    assert_eq!(cadence.latest(at("1970-01-01T00:02:59Z")), Some(at("1970-01-01T00:01:30Z")));
    for span in ["0s", "500ms", "1500ms", "90", ""] {
        assert!(Cadence::every(span).is_err(), "{span}");
    }
}

#[test]
fn a_mistake_is_told_where_it_stands() {
    for (text, part) in [
        ("61 * * * *", "61"),
        ("0 25 * * *", "25"),
        ("0 1,24,2 * * *", "24"),
        ("0 0 32 * *", "32"),
        ("0 0 * FOO *", "FOO"),
        ("0 0 * * 8", "8"),
        ("* * * * * MON-FRY", "MON-FRY"),
        ("0 0 1,,2 * *", ""),
        ("*/0 * * * *", "*/0"),
        ("MON 0 * * *", "MON"),
    ] {
        let error = Cadence::cron(text, "UTC").unwrap_err();
        assert_eq!(&text[error.range()], part, "{error}");
        assert!(error.to_string().contains(&format!("\n  {text}\n")), "{error}");
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in ["", "  ", "* * * *", "* * * * * * *", "@reboot", "@daily x", "0 0 30 2 *", "0 0 31 4,6 *", "∞ * * * *"]
    {
        assert!(Cadence::cron(text, "UTC").is_err(), "{text:?}");
    }
    for zone in ["", "Berlin", "Europe/Atlantis", "../etc/passwd"] {
        assert!(Cadence::cron("@daily", zone).is_err(), "{zone:?}");
    }
    let never = Cadence::cron("0 0 30 2 *", "UTC").unwrap_err();
    assert_eq!(never.to_string(), "expected an expression that ticks, got \"0 0 30 2 *\", which never does");
}
