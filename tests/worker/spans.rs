//! In which span stands what a handler logs.

use std::sync::LazyLock;

use pgq::{BoxError, Client, Result};

use crate::log::Log;

#[pgq::task(queue = "mail")]
async fn mumble(word: String) -> std::result::Result<(), BoxError> {
    tracing::info!("heard {word}");
    tokio::task::yield_now().await;
    tracing::info!("still hears {word}");
    Ok(())
}

/// What its own thread says, which hears of no other thread's listener.
static ALOOF: LazyLock<Log> = LazyLock::new(Log::default);

#[pgq::task]
fn mutter() -> std::result::Result<(), BoxError> {
    let _listening = tracing::subscriber::set_default(ALOOF.clone());
    tracing::info!("heard on a thread");
    Ok(())
}

#[tokio::test]
async fn what_a_handler_logs_stands_in_a_span_that_names_its_job_and_attempt() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let client = Client::memory();
    mumble::enqueue_many(&client, ["one".to_owned(), "two".to_owned()]).await?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![mumble], ()).await?;
    assert_eq!(worker.drain().await?, 2);
    for (job, word) in [(1, "one"), (2, "two")] {
        let heard = log.about("hear");
        let span = format!("hears {word} in attempt job={job} task=\"mumble\" queue=\"mail\" attempt=1");
        assert!(heard.iter().any(|line| line.ends_with(&span)), "{heard:?}");
    }
    let ended = log.about("event=");
    assert!(ended.len() == 2 && ended.iter().all(|line| !line.contains(" in attempt")), "{ended:?}");
    Ok(())
}

#[pgq::task]
async fn whisper() -> std::result::Result<(), BoxError> {
    tracing::info!("heard it whisper");
    Ok(())
}

#[tokio::test]
async fn a_handlers_span_stays_where_only_warnings_of_ours_are_kept() -> Result<()> {
    let log = Log { strict: true, ..Log::default() };
    let _listening = log.listen();
    let client = Client::memory();
    whisper::enqueue(&client, ()).await?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![whisper], ()).await?;
    assert_eq!(worker.drain().await?, 1);
    let heard = log.about("heard it whisper");
    assert!(heard.len() == 1 && heard[0].contains("in attempt job=1 task=\"whisper\""), "{heard:?}");
    assert_eq!(log.about("attempt ended"), [""; 0], "which is of less");
    Ok(())
}

#[tokio::test]
async fn what_a_blocking_handler_logs_stands_in_its_attempts_span() -> Result<()> {
    let _listening = tracing::subscriber::set_default(ALOOF.clone());
    let client = Client::memory();
    mutter::enqueue(&client, ()).await?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![mutter], ()).await?;
    assert_eq!(worker.drain().await?, 1);
    let heard = ALOOF.about("heard on a thread");
    assert!(heard.len() == 1 && heard[0].contains("in attempt job=1 task=\"mutter\""), "{heard:?}");
    Ok(())
}
