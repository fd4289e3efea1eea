//! What a task declares, as constants.

use std::time::Duration;

use pgq::{BoxError, Keep, Priority, Retry, Task, TaskOptions};

#[pgq::task]
async fn modest() -> Result<(), BoxError> {
    Ok(())
}

#[pgq::task(
    name = "macros.ambitious",
    aliases = ["macros_ambitious", "macros.old"],
    queue = "mail",
    priority = -5,
    attempts = 8,
    retry = exponential("1s", factor = 3.0, max = "10m", jitter = false),
    keep(completed = "1d", cancelled = none, discarded = "30d"),
)]
async fn ambitious() -> Result<(), BoxError> {
    Ok(())
}

#[pgq::task(retry = linear("10s", max = "5m", attempts = 3), keep = "2h")]
async fn linearly() -> Result<(), BoxError> {
    Ok(())
}

#[pgq::task(retry = fixed("30s"), priority = 32767, keep = none)]
async fn fixedly() -> Result<(), BoxError> {
    Ok(())
}

#[pgq::task(retry = delays("1s", "1m", "5m"))]
async fn one_by_one() -> Result<(), BoxError> {
    Ok(())
}

#[pgq::task(retry = none)]
async fn once() -> Result<(), BoxError> {
    Ok(())
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_task_that_says_nothing_has_the_defaults() {
    assert_eq!((modest::NAME, modest::ALIASES), ("modest", &[][..]));
    assert_eq!(modest::OPTIONS, TaskOptions::DEFAULT);
}

#[test]
fn every_option_reaches_the_constants() {
    assert_eq!(ambitious::NAME, "macros.ambitious");
    assert_eq!(ambitious::ALIASES, ["macros_ambitious", "macros.old"]);
    let options = ambitious::OPTIONS;
    assert_eq!((options.queue(), options.attempts()), ("mail", 8));
    assert_eq!(Some(options.priority()), Priority::new(-5));
    let retry = Retry::Exponential { base: secs(1), factor: 3.0, max: secs(600), jitter: false };
    assert_eq!(*options.retry(), retry);
    let keep = Keep { completed: secs(86_400), cancelled: Duration::ZERO, discarded: secs(30 * 86_400) };
    assert_eq!(options.keep(), keep);
}

#[test]
fn every_retry_policy_reaches_the_constants() {
    const DELAYS: &[Duration] = &[secs(1), secs(60), secs(300)];
    assert_eq!(*linearly::OPTIONS.retry(), Retry::Linear { step: secs(10), max: secs(300) });
    assert_eq!(linearly::OPTIONS.attempts(), 3);
    assert_eq!(*fixedly::OPTIONS.retry(), Retry::Fixed(secs(30)));
    assert_eq!(*one_by_one::OPTIONS.retry(), Retry::Delays(DELAYS));
    assert_eq!(once::OPTIONS.attempts(), 1);
}

#[test]
fn finished_jobs_are_kept_as_the_task_says() {
    assert_eq!(
        linearly::OPTIONS.keep(),
        Keep { completed: secs(7_200), cancelled: secs(7_200), discarded: secs(7_200) }
    );
    assert_eq!(fixedly::OPTIONS.keep(), Keep::NONE);
}

const BEFORE: u32 = line!();
#[pgq::task(
    queue = "mail",
    keep = none
)]
/// Documented.
async fn located() -> Result<(), BoxError> {
    Ok(())
}

#[test]
fn a_task_knows_where_its_name_stands() {
    let location = located::LOCATION;
    assert_eq!((location.krate, location.file, location.line), ("pgq-tests", file!(), BEFORE + 6));
}
