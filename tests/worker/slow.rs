//! What the log says of handlers that take long.

use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Client, Context, Result, Timestamp, Worker};
use tokio::sync::Semaphore;

use super::faults::{Fault, plan, wayward};
use crate::log::Log;

/// Blocks its thread for longer than a handler may.
#[pgq::task]
async fn hog() -> std::result::Result<(), pgq::BoxError> {
    std::thread::sleep(Duration::from_millis(1_050));
    Ok(())
}

#[pgq::task]
async fn brood(ctx: Context) -> std::result::Result<(), pgq::BoxError> {
    ctx.cancelled().await;
    Ok(())
}

static STEPS: Semaphore = Semaphore::const_new(0);

/// Makes some progress whenever there is a step to take.
#[pgq::task]
async fn plod(ctx: Context) -> std::result::Result<(), pgq::BoxError> {
    for done in 1.. {
        STEPS.acquire().await?.forget();
        ctx.progress(done, 0);
    }
    Ok(())
}

#[pgq::task(timeout = "30s")]
async fn dawdle() -> std::result::Result<(), pgq::BoxError> {
    std::future::pending().await
}

#[tokio::test]
async fn a_handler_that_holds_up_a_thread_is_named_once_a_minute() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let client = Client::memory();
    hog::enqueue_many(&client, [(), ()]).await?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![hog], ()).await?;
    assert_eq!(worker.drain().await?, 2);
    let told = log.about("holds up a thread");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("WARN") && told[0].contains("task=\"hog\"") && told[0].contains("job=1"), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_runs_for_long_is_named_every_ten_minutes() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let clock = ManualClock::at(Timestamp::EPOCH);
    let client = Client::builder()?.clock(clock.clone()).memory();
    brood::enqueue(&client, ()).await?;
    let builder = Worker::<()>::builder().client(client).tasks(pgq::tasks![brood]).lease(Duration::from_hours(1));
    let mut worker = builder.stepper().await?;
    assert_eq!(worker.start().await?, 1);
    for (minutes, times) in [(9, 0), (1, 1), (5, 1), (6, 2), (30, 3)] {
        clock.advance(Duration::from_mins(minutes));
        worker.beat().await?;
        assert_eq!(log.about("runs for long").len(), times, "{minutes} minutes later");
    }
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_gets_on_is_not_named_as_one_that_runs_for_long() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let clock = ManualClock::at(Timestamp::EPOCH);
    let client = Client::builder()?.clock(clock.clone()).memory();
    plod::enqueue(&client, ()).await?;
    let builder = Worker::<()>::builder().client(client).tasks(pgq::tasks![plod]).lease(Duration::from_hours(1));
    let mut worker = builder.stepper().await?;
    assert_eq!(worker.start().await?, 1);
    // It gets on for a while, and then stands still.
    for (minutes, steps, times) in [(9, 1, 0), (9, 1, 0), (9, 1, 0), (9, 0, 0), (1, 0, 1), (10, 0, 2), (1, 1, 2)] {
        clock.advance(Duration::from_mins(minutes));
        STEPS.add_permits(steps);
        tokio::task::yield_now().await;
        worker.beat().await?;
        assert_eq!(log.about("runs for long").len(), times, "{minutes} minutes later");
    }
    let told = log.about("runs for long");
    assert!(told[0].contains("ran=2220s") && told[0].contains("still=600s"), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_took_too_long_is_named_with_how_long_it_ran() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let clock = ManualClock::at(Timestamp::EPOCH);
    let client = Client::builder()?.clock(clock.clone()).memory();
    dawdle::enqueue(&client, ()).await?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![dawdle], ()).await?;
    worker.start().await?;
    let time = async {
        loop {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        }
    };
    tokio::select! {
        settled = worker.settle() => settled?,
        () = time => {}
    }
    let told = log.about("attempt failed");
    assert!(told[0].contains("kind=timeout") && told[0].contains(" ran=3"), "{told:?}");
    Ok(())
}

#[pgq::task(retry = fixed("1s", attempts = 2))]
async fn overdraw() -> Result<()> {
    let full = std::io::Error::other("no space left\non device");
    Err(pgq::Error::init(pgq::Error::init(full)))
}

#[tokio::test]
async fn a_failed_attempt_is_told_with_its_causes_on_one_line() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let clock = ManualClock::at(Timestamp::EPOCH);
    let client = Client::builder()?.clock(clock.clone()).memory();
    overdraw::enqueue(&client, ()).await?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![overdraw], ()).await?;
    worker.drain().await?;
    worker.advance(Duration::from_mins(1)).await?;
    worker.drain().await?;
    let error = "error=\"the resources could not be made: no space left on device\"";
    for (told, level) in [(log.about("attempt failed"), "WARN"), (log.about("job discarded"), "ERROR")] {
        assert!(told.len() == 1 && told[0].starts_with(level) && told[0].contains(error), "{told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_database_is_not_blamed_for_what_a_handler_holds_up() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let (client, faults) = wayward()?;
    hog::enqueue(&client, ()).await?;
    plan(&faults.finish, &[Fault::Refused]);
    let worker = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![hog]).spawn().await?;
    while client.jobs().state(pgq::State::Completed).count().await?.jobs == 0 {
        tokio::task::yield_now().await;
    }
    worker.stop().await?;
    let told = log.about("holds up threads of the runtime");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("service=\"completer\" task=\"hog\" error=") && told[0].contains("pool timed out"),
        "{told:?}"
    );
    assert_eq!(log.about("the database is away"), [""; 0]);
    Ok(())
}
