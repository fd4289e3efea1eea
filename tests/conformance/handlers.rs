//! What a handler may do, and what becomes of its job.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::{Context, FailureKind, Result, State};
use serde::{Deserialize, Serialize};

use crate::world::{World, job};

/// What the handlers of these tests write into.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, line: impl fmt::Display) {
        self.0.lock().unwrap().push(line.to_string());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Clone, Default, pgq::Provide)]
pub(crate) struct App {
    diary: Diary,
}

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Ok(Self::default())
    }
}

#[pgq::task]
async fn greet(ctx: Context<App>, name: String, times: u8) -> Result<(), pgq::BoxError> {
    ctx.diary.note(format!("{name} {times} {} {}", ctx.task(), ctx.attempt()));
    Ok(())
}

#[pgq::task(retry = fixed("10s", attempts = 3))]
async fn fail(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.diary.note(ctx.attempt());
    Err("it always fails".into())
}

#[pgq::task(retry = none)]
async fn explode(what: String) -> Result<(), pgq::BoxError> {
    panic!("boom: {what}")
}

/// An output that makes trouble when it goes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[pgq::task(retry = none)]
async fn hand_out() -> Result<Grenade, pgq::BoxError> {
    Ok(Grenade)
}

#[pgq::task]
async fn ask(what: String) -> Result<(), pgq::BoxError> {
    let span = Duration::from_mins(1);
    Err(match &*what {
        "snooze" => pgq::snooze(span),
        "retry" => pgq::retry_in(span),
        "discard" => pgq::discard("enough"),
        _ => pgq::cancel("on second thought"),
    })?
}

#[pgq::task]
async fn ask_deep() -> anyhow::Result<()> {
    use anyhow::Context as _;
    Err(pgq::discard("enough")).context("outer")?;
    Ok(())
}

#[pgq::task(name = "mail.send", aliases = ["send_mail"])]
async fn send(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.diary.note(ctx.task());
    Ok(())
}

#[pgq::task]
fn compute(ctx: Context<App>, number: u64) -> Result<u64, pgq::BoxError> {
    ctx.diary.note(number * 2);
    Ok(number * 2)
}

#[pgq::task]
async fn begin(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    compute::enqueue(ctx.client(), 21).await?;
    Ok(())
}

#[pgq::task]
async fn write(ctx: Context<Diary>) -> Result<(), pgq::BoxError> {
    ctx.note("by its field");
    Ok(())
}

/// Never ends by itself.
#[pgq::task(timeout = "1m", retry = none)]
async fn stall() -> Result<(), pgq::BoxError> {
    std::future::pending().await
}

#[pgq::task(expires_in = "1m")]
async fn hurry() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(queue = "mail", priority = 4, attempts = 2, keep = none)]
async fn optioned() -> Result<(), pgq::BoxError> {
    Ok(())
}

pub(crate) async fn a_handler_runs_with_its_arguments_and_resources(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![greet], app.clone()).await?;
    let handle = greet::enqueue(&world.client, GreetArgs { name: "Kim".to_owned(), times: 3 }).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(app.diary.lines(), ["Kim 3 greet 1"]);
    assert_eq!(world.state(handle.id()).await?, State::Completed);
    Ok(())
}

pub(crate) async fn a_failing_handler_is_retried_until_its_attempts_are_used_up(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![fail], app.clone()).await?;
    let id = fail::enqueue(&world.client, ()).await?.id();
    for state in [State::Retryable, State::Retryable, State::Discarded] {
        assert_eq!(worker.drain().await?, 1);
        assert_eq!(world.state(id).await?, state);
        world.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(worker.drain().await?, 0);
    assert_eq!(app.diary.lines(), ["1", "2", "3"]);
    let failures = world.job(id).await?.failures;
    assert_eq!(failures.iter().map(|failure| failure.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    Ok(())
}

pub(crate) async fn a_panic_ends_only_its_attempt(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![explode, greet], App::default()).await?;
    let id = explode::enqueue(&world.client, "now".to_owned()).await?.id();
    let other = greet::enqueue(&world.client, GreetArgs { name: String::new(), times: 0 }).await?.id();
    assert_eq!(worker.drain().await?, 2);
    let exploded = world.job(id).await?;
    assert_eq!((exploded.state, exploded.failures[0].kind), (State::Discarded, FailureKind::Panic));
    assert_eq!(exploded.failures[0].message, "boom: now");
    assert_eq!(world.state(other).await?, State::Completed);
    Ok(())
}

pub(crate) async fn a_panic_in_the_drop_of_an_output_ends_only_its_attempt(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![hand_out], ()).await?;
    let id = hand_out::enqueue(&world.client, ()).await?.id();
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(world.job(id).await?.failures[0].kind, FailureKind::Panic);
    Ok(())
}

pub(crate) async fn an_unreadable_payload_is_parked_with_its_cause(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![greet], App::default()).await?;
    // A map without the fields that `greet` needs.
    let id = world.put_one(pgq::backend::NewJob { payload: vec![0x80], ..job("greet") }).await?;
    assert_eq!(worker.drain().await?, 1);
    let parked = world.job(id).await?;
    assert_eq!((parked.state, parked.attempt), (State::Discarded, 1));
    assert_eq!(parked.failures[0].kind, FailureKind::Decode);
    assert!(parked.failures[0].message.contains("missing field `name`"), "{}", parked.failures[0].message);
    Ok(())
}

pub(crate) async fn a_handler_can_snooze_retry_discard_and_cancel(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![ask], ()).await?;
    for (what, state, attempts) in [
        ("snooze", State::Scheduled, 0),
        ("retry", State::Retryable, 1),
        ("discard", State::Discarded, 1),
        ("cancel", State::Cancelled, 1),
    ] {
        let id = ask::enqueue(&world.client, what.to_owned()).await?.id();
        assert_eq!(worker.drain().await?, 1);
        let asked = world.job(id).await?;
        assert_eq!((asked.state, asked.attempt), (state, attempts), "{what}");
    }
    Ok(())
}

pub(crate) async fn an_endless_snooze_harms_no_neighbour(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![sleep_on, fail], app).await?;
    let (endless, neighbour) =
        (sleep_on::enqueue(&world.client, ()).await?.id(), fail::enqueue(&world.client, ()).await?.id());
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(world.state(endless).await?, State::Scheduled);
    assert_eq!(world.state(neighbour).await?, State::Retryable);
    Ok(())
}

#[pgq::task]
async fn sleep_on() -> Result<(), pgq::BoxError> {
    Err(pgq::snooze(Duration::MAX))?
}

pub(crate) async fn a_control_is_found_inside_anyhow(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![ask_deep], ()).await?;
    let id = ask_deep::enqueue(&world.client, ()).await?.id();
    worker.drain().await?;
    let asked = world.job(id).await?;
    assert_eq!((asked.state, &*asked.failures[0].message), (State::Discarded, "enough"));
    Ok(())
}

pub(crate) async fn an_alias_runs_jobs_of_the_old_name(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![send], app.clone()).await?;
    world.put_one(job("send_mail")).await?;
    let id = send::enqueue(&world.client, ()).await?.id();
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(app.diary.lines(), ["mail.send", "mail.send"]);
    assert_eq!(world.job(id).await?.task, "mail.send", "new jobs have the canonical name");
    Ok(())
}

pub(crate) async fn a_blocking_handler_runs_off_the_runtime(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![compute], app.clone()).await?;
    compute::enqueue(&world.client, 21).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(app.diary.lines(), ["42"]);
    Ok(())
}

pub(crate) async fn a_handler_can_enqueue_more(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![begin, compute], app.clone()).await?;
    begin::enqueue(&world.client, ()).await?;
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(app.diary.lines(), ["42"]);
    Ok(())
}

pub(crate) async fn a_context_lends_what_a_field_provides(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![write], app.clone()).await?;
    write::enqueue(&world.client, ()).await?;
    worker.drain().await?;
    assert_eq!(app.diary.lines(), ["by its field"]);
    Ok(())
}

/// Ends only when the test's clock is let run, or never.
#[pgq::task(retry = fixed("365d"))]
async fn dawdle(ctx: Context<App>, heeds: bool) -> Result<(), pgq::BoxError> {
    ctx.cancelled().await;
    ctx.diary.note("told to end");
    if heeds { Ok(()) } else { std::future::pending().await }
}

/// Settles while time goes on.
async fn settle(worker: &mut pgq::testing::Stepper, world: &World) -> Result<()> {
    let mut settled = std::pin::pin!(worker.settle());
    loop {
        tokio::select! {
            biased;
            settled = &mut settled => return settled,
            () = tokio::task::yield_now() => world.clock.advance(Duration::from_millis(100)),
        }
    }
}

pub(crate) async fn a_handler_that_takes_too_long_has_failed(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![dawdle], app.clone()).await?;
    let id = dawdle::job(false).timeout(Duration::from_secs(30)).enqueue(&world.client).await?.id();
    let start = world.clock.now();
    assert_eq!(worker.start().await?, 1);
    settle(&mut worker, &world).await?;
    assert!(world.clock.now().since(start) >= Duration::from_secs(31), "its time, and a moment's grace");
    let late = world.job(id).await?;
    assert_eq!((late.state, late.failures[0].kind), (State::Retryable, FailureKind::Timeout));
    assert_eq!(late.failures[0].message, "the handler took longer than 30s");
    let ran = late.failures[0].ended.since(late.failures[0].started.unwrap());
    assert!(ran >= Duration::from_secs(31), "{ran:?}");
    assert_eq!(app.diary.lines(), ["told to end"], "its token fired");
    Ok(())
}

pub(crate) async fn a_task_can_limit_how_long_its_attempts_run_and_its_jobs_wait(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![stall, hurry], ()).await?;
    let waits = hurry::enqueue(&world.client, ()).await?.id();
    world.clock.advance(Duration::from_mins(1));
    let runs = stall::enqueue(&world.client, ()).await?.id();
    assert_eq!(worker.start().await?, 2);
    settle(&mut worker, &world).await?;
    assert_eq!(world.job(runs).await?.failures[0].kind, FailureKind::Timeout);
    assert_eq!(world.job(waits).await?.failures[0].kind, FailureKind::Expired);
    Ok(())
}

pub(crate) async fn a_handler_that_heeds_its_timeout_has_succeeded(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![dawdle], App::default()).await?;
    let id = dawdle::job(true).timeout(Duration::from_secs(30)).enqueue(&world.client).await?.id();
    worker.start().await?;
    settle(&mut worker, &world).await?;
    assert_eq!(world.state(id).await?, State::Completed);
    Ok(())
}

pub(crate) async fn a_job_that_did_not_begin_in_time_is_discarded_as_expired(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![greet], app.clone()).await?;
    let args = || GreetArgs { name: "Kim".to_owned(), times: 1 };
    let minute = Duration::from_mins(1);
    let late = greet::job(args()).expires_in(minute).enqueue(&world.client).await?.id();
    let later = greet::job(args()).delay(minute).expires_in(minute).enqueue(&world.client).await?.id();
    world.clock.advance(minute);
    assert_eq!(worker.drain().await?, 2);
    let expired = world.job(late).await?;
    assert_eq!((expired.state, expired.failures[0].kind), (State::Discarded, FailureKind::Expired));
    assert_eq!(world.state(later).await?, State::Completed, "its time counts from when it could run");
    assert_eq!(app.diary.lines().len(), 1);
    Ok(())
}

pub(crate) async fn a_job_that_began_in_time_may_be_retried_after_it(world: World) -> Result<()> {
    let app = App::default();
    let mut worker = world.worker(pgq::tasks![fail, nap], app.clone()).await?;
    let second = Duration::from_secs(1);
    fail::job(()).expires_in(second).enqueue(&world.client).await?;
    let snoozed = nap::job(()).expires_in(second).enqueue(&world.client).await?.id();
    worker.drain().await?;
    world.clock.advance(Duration::from_secs(10));
    worker.drain().await?;
    assert_eq!(app.diary.lines(), ["1", "2"]);
    assert_eq!(world.state(snoozed).await?, State::Completed, "a snooze takes no attempt, but it has begun");
    Ok(())
}

/// Snoozes once.
#[pgq::task]
async fn nap(ctx: Context) -> Result<(), pgq::BoxError> {
    if ctx.fence() == 1 { Err(pgq::snooze(Duration::from_secs(9)))? } else { Ok(()) }
}

pub(crate) async fn a_time_in_the_past_leaves_a_job_all_its_time_to_begin(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![greet], App::default()).await?;
    let job = || greet::job(GreetArgs { name: "Kim".to_owned(), times: 1 }).expires_in(Duration::from_mins(1));
    let past = pgq::Timestamp::EPOCH;
    let born = job().at(past).enqueue(&world.client).await?.id();
    let edited = job().delay(Duration::from_hours(1)).enqueue(&world.client).await?.id();
    world.client.edit(edited, pgq::Edit::new().at(past)).await?;
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(worker.drain().await?, 2);
    for id in [born, edited] {
        assert_eq!(world.state(id).await?, State::Completed);
    }
    Ok(())
}

pub(crate) async fn what_a_handler_says_when_its_time_is_over_is_kept(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![plead], ()).await?;
    let id = plead::enqueue(&world.client, ()).await?.id();
    worker.start().await?;
    settle(&mut worker, &world).await?;
    let failure = world.job(id).await?.failures.remove(0);
    assert_eq!((failure.kind, failure.chain), (FailureKind::Timeout, vec!["almost there".to_owned()]));
    Ok(())
}

#[pgq::task(timeout = "1s")]
async fn plead(ctx: Context) -> Result<(), pgq::BoxError> {
    ctx.cancelled().await;
    Err("almost there")?
}

pub(crate) async fn options_of_a_task_reach_its_jobs(world: World) -> Result<()> {
    let id = optioned::enqueue(&world.client, ()).await?.id();
    let job = world.job(id).await?;
    assert_eq!((&*job.queue, job.priority.get(), job.max_attempts), ("mail", 4, 2));
    let mut worker = world.worker(pgq::tasks![optioned], ()).await?;
    assert_eq!(worker.drain().await?, 1, "a worker serves the queues of its tasks");
    assert_eq!(world.client.get(id).await?, None);
    Ok(())
}

#[derive(Debug, PartialEq)]
enum ChargeError {
    Declined,
    Busy(Duration),
    Unknown,
}

impl std::fmt::Display for ChargeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for ChargeError {}

impl ChargeError {
    fn what_to_do(attempt: u16, error: &Self) -> Option<pgq::Control> {
        match error {
            Self::Declined => Some(pgq::discard("the card was declined")),
            Self::Busy(span) => Some(pgq::retry_in(*span * attempt.into())),
            Self::Unknown => None,
        }
    }
}

#[pgq::task(retry = fixed("7s"), on_error = ChargeError::what_to_do)]
async fn charge_card(kind: u8) -> Result<(), ChargeError> {
    Err(match kind {
        0 => ChargeError::Declined,
        1 => ChargeError::Busy(Duration::from_secs(30)),
        _ => ChargeError::Unknown,
    })
}

#[pgq::task(on_error = ChargeError::what_to_do)]
fn charge_card_blocking(kind: u8) -> Result<(), ChargeError> {
    if kind == 0 { Err(ChargeError::Declined) } else { Ok(()) }
}

fn no_idea(_: u16, _: &pgq::BoxError) -> Option<pgq::Control> {
    panic!("no idea")
}

#[pgq::task(on_error = no_idea, retry = fixed("7s"))]
async fn fail_badly() -> Result<(), pgq::BoxError> {
    Err("no route".into())
}

pub(crate) async fn a_task_says_what_to_do_about_an_error(world: World) -> Result<()> {
    let tasks = pgq::tasks![charge_card, charge_card_blocking, fail_badly];
    let mut worker = world.worker::<()>(tasks, ()).await?;
    let client = &world.client;
    let handles = charge_card::enqueue_many(client, vec![0, 1, 2]).await?;
    let ids: Vec<_> = handles.iter().map(pgq::Handle::id).collect();
    let blocking = charge_card_blocking::enqueue(client, 0).await?.id();
    let exploding = fail_badly::enqueue(client, ()).await?.id();
    worker.step().await?;
    let declined = world.job(ids[0]).await?;
    assert_eq!((declined.state, &*declined.failures[0].message), (State::Discarded, "Declined"));
    let after = |seconds| world.clock.now().saturating_add(Duration::from_secs(seconds));
    let busy = world.job(ids[1]).await?;
    assert_eq!((busy.state, busy.run_at), (State::Retryable, after(30)));
    assert!(busy.failures[0].message.starts_with("Busy"), "the error is kept, not the wish");
    assert_eq!(world.job(ids[2]).await?.run_at, after(7), "as the policy says");
    assert_eq!(world.state(blocking).await?, State::Discarded);
    let exploded = world.job(exploding).await?;
    assert_eq!(
        (exploded.state, exploded.run_at, exploded.failures[0].kind),
        (State::Retryable, after(7), FailureKind::Panic)
    );
    world.clock.advance(Duration::from_secs(30));
    worker.step().await?;
    assert_eq!(world.job(ids[1]).await?.run_at, after(60), "it is told which attempt it was");
    Ok(())
}
