//! What a task declares, as constants.

use std::time::Duration;

use pgq::{Bounds, BoxError, Keep, Limit, LimitKey, Priority, Rate, Retry, Task, TaskOptions};

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

fn region(args: &LimitedArgs) -> &str {
    args.to.rsplit_once('.').map_or("", |(_, region)| region)
}

mod billing {
    pub(super) fn account(args: &super::LimitedArgs) -> u64 {
        args.tenant % 10
    }
}

#[pgq::task(
    concurrency = 5, rps = 100, burst = 7, per = "1m", per_worker = 2,
    limit(concurrency = 2, key = "tenant"),
    limit(rps = 20.0, name = "stripe"),
    limit(rps = 0.5, key = region),
    limit(concurrency = 1, rps = 3, burst = 1, name = "stripe", key = billing::account),
)]
async fn limited(tenant: u64, to: String) -> Result<(), BoxError> {
    drop((tenant, to));
    Ok(())
}

#[pgq::schedule("@daily", concurrency = 1, limit(rps = 1, name = "night"))]
async fn nightly() -> Result<(), BoxError> {
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
fn every_limit_reaches_the_constants() {
    let every = |millis, burst| Rate::every(Duration::from_millis(millis), burst);
    let options = limited::OPTIONS;
    assert_eq!(options.own_limit(), Bounds { concurrency: Some(5), rate: every(600, 7) });
    assert_eq!((options.per_worker(), modest::OPTIONS.per_worker()), (Some(2), None));
    let third = Rate::every(Duration::from_nanos(333_333_334), 1);
    let limits = [
        Limit { name: None, key: Some(LimitKey::Field("tenant")), concurrency: Some(2), rate: None },
        Limit { name: Some("stripe"), key: None, concurrency: None, rate: every(50, 20) },
        Limit { name: None, key: Some(LimitKey::Function("region")), concurrency: None, rate: every(2_000, 1) },
        Limit { name: Some("stripe"), key: Some(LimitKey::Function("account")), concurrency: Some(1), rate: third },
    ];
    assert_eq!(options.limits(), limits);
    assert_eq!(nightly::OPTIONS.own_limit().concurrency, Some(1));
    assert_eq!(nightly::OPTIONS.limits()[0].full_name("nightly"), "shared:night");
}

#[test]
fn functions_make_limit_keys_of_the_arguments() {
    let args = LimitedArgs { tenant: 42, to: "kim.eu".to_owned() };
    let keys: Vec<_> = (0..5).map(|position| limited::limit_key(position, &args)).collect();
    assert_eq!(keys, [None, None, Some("eu".to_owned()), Some("2".to_owned()), None]);
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
