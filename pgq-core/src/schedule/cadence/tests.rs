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

/// What ticks in Berlin on the days around a change, from noon to noon.
fn around(expression: &str, after: &str) -> Vec<String> {
    let (cadence, end) = (berlin(expression), at(after).saturating_add(Duration::from_hours(24)));
    let ticks = std::iter::successors(cadence.next(at(after)), |tick| cadence.next(*tick));
    ticks.take_while(|tick| *tick <= end).map(|tick| tick.to_string()[5..].replace(":00Z", "")).collect()
}

const FORWARD: &str = "2026-03-28T12:00:00Z";
const BACK: &str = "2026-10-24T12:00:00Z";

#[test]
fn each_time_that_is_named_ticks_once_on_every_day() {
    for (expression, forward, back) in [
        ("0 2,14 * * *", ["03-28T13:00", "03-29T01:00", "03-29T12:00"].as_slice(), ["10-25T00:00"].as_slice()),
        (
            "30 1-3 * * *",
            &["03-29T00:30", "03-29T01:00", "03-29T01:30"],
            &["10-24T23:30", "10-25T00:30", "10-25T02:30"],
        ),
        ("15,45 2 * * *", &["03-29T01:00"], &["10-25T00:15", "10-25T00:45"]),
        (
            "0,30 2-3 * * *",
            &["03-29T01:00", "03-29T01:30"],
            &["10-25T00:00", "10-25T00:30", "10-25T02:00", "10-25T02:30"],
        ),
        ("10,50 59 2 * * *", &["03-29T01:00"], &["10-25T00:59:10Z", "10-25T00:59:50Z"]),
        (
            "30 59 1,2,3 * * *",
            &["03-29T00:59:30Z", "03-29T01:00", "03-29T01:59:30Z"],
            &["10-24T23:59:30Z", "10-25T00:59:30Z", "10-25T02:59:30Z"],
        ),
    ] {
        assert_eq!(around(expression, FORWARD), *forward, "{expression}");
        assert_eq!(around(expression, BACK), *back, "{expression}");
    }
}

#[test]
fn a_time_that_is_left_out_at_the_end_of_a_day_ticks_at_midnight() {
    let nuuk = |expression| Cadence::cron(expression, "America/Nuuk").unwrap();
    let before = "2026-03-28T12:00:00Z";
    assert_eq!(ticks(&nuuk("30 23 * * *"), before, 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    assert_eq!(ticks(&nuuk("30 23 * * SAT"), before, 2), ["2026-03-29T01:00:00Z", "2026-04-05T00:30:00Z"]);
    assert_eq!(ticks(&nuuk("0 0 * * *"), before, 2), ["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"]);
    assert_eq!(nuuk("0,30 0,23 * * *").latest(at("2026-03-29T01:29:59Z")), Some(at("2026-03-29T01:00:00Z")));
}

#[test]
fn a_look_within_the_hour_that_comes_twice_finds_what_ticked_the_first_time() {
    let cadence = berlin("15,45 2 * * *");
    for until in ["2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:20:00Z", "2026-10-25T02:30:00Z"] {
        assert_eq!(cadence.latest(at(until)), Some(at("2026-10-25T00:45:00Z")), "{until}");
        assert_eq!(cadence.next(at(until)), Some(at("2026-10-26T01:15:00Z")), "{until}");
    }
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
    for expression in [
        "*/15 * * * *",
        "30 2 * * *",
        "0 */7 * * *",
        "0 12 L * *",
        "7 1 * * 0",
        "0,20 1-3 * * *",
        "5,55 0,59 2,3 * * *",
    ] {
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
        ("0 0 * MON-FRI *", "MON-FRI"),
        ("0 0 * * JAN", "JAN"),
        ("0 0 * JANUARY *", "JANUARY"),
        ("0 0 * * MONDAY", "MONDAY"),
        ("0 0 1,TUE * *", "TUE"),
        ("*/90 * * * *", "*/90"),
        ("0 */25 * * *", "*/25"),
        ("0 0 1 * L", "L"),
        ("*,5 * * * *", "*"),
        ("0 0 5,* * *", "*"),
        ("0 0 * * FRI-MON", "FRI-MON"),
        ("0 22-2 * * *", "22-2"),
        ("5/15 * * * *", "5/15"),
    ] {
        let error = Cadence::cron(text, "UTC").unwrap_err();
        assert_eq!(&text[error.range()], part, "{error}");
        assert!(error.to_string().contains(&format!("\n  {text}\n")), "{error}");
    }
}

#[test]
fn what_is_usual_is_read() {
    for text in [
        "0 0 * JAN-mar,12 *",
        "0 0 * * sun",
        "0 0 * * FRIL",
        "0 0 * * 5L",
        "0 0 * * MON#2",
        "0 0 * * 1#2",
        "0 0 * * 7",
        "0 9-17/2 * * *",
        "5-59/15 * * * *",
        "0 0 L,15W * *",
        "0 0 LW * *",
        "*/60 */24 * * *",
        "0 0 ? * MON",
        "0-30/7,59 * * * *",
    ] {
        assert!(Cadence::cron(text, "UTC").is_ok(), "{text:?}: {:?}", Cadence::cron(text, "UTC"));
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
    assert!(Cadence::read("every 5s", "Europe/Atlantis").is_err());
    assert!(Cadence::read("every 5s", "UTC").is_ok());
    let never = Cadence::cron("0 0 30 2 *", "UTC").unwrap_err();
    assert_eq!(never.to_string(), "expected an expression that ticks, got \"0 0 30 2 *\", which never does");
}
