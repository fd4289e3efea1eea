//! What the log says of a database that is away.

use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Result, Timestamp, Worker};

use super::faults::{Fault, greet, plan, wayward, wayward_by};
use crate::log::Log;

/// Until something is logged so often. Polled, as a log tells nobody of its lines.
async fn logged(log: &Log, words: &str, times: usize, meanwhile: impl Fn()) -> Vec<String> {
    let told = async {
        while log.about(words).len() < times {
            meanwhile();
            tokio::task::yield_now().await;
        }
        log.about(words)
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.unwrap_or_else(|_| panic!("{words}"))
}

#[tokio::test]
async fn a_database_that_is_away_is_told_of_once_and_so_is_that_it_is_back() -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let (client, faults) = wayward()?;
    greet::enqueue(&client, ()).await?;
    plan(&faults.claim, &[Fault::Refused, Fault::Refused, Fault::Unanswered, Fault::Refused]);
    plan(&faults.finish, &[Fault::Refused, Fault::Refused]);
    let worker = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![greet]).spawn().await?;
    while client.jobs().state(pgq::State::Completed).count().await?.jobs == 0 {
        tokio::task::yield_now().await;
    }
    // The second time it is the ends that can't be written.
    logged(&log, "the database comes and goes", 1, || ()).await;
    worker.stop().await?;
    let (away, back) = (log.about("the database is away"), log.about("the database is back after "));
    assert_eq!((away.len(), back.len()), (1, 1), "{away:?} {back:?}");
    assert!(away[0].starts_with("WARN") && away[0].contains("the connection to the database failed: "), "{away:?}");
    assert!(!away[0].contains("\\n") && !away[0].contains('\n'), "one line: {away:?}");
    assert!(back[0].starts_with("INFO"), "{back:?}");
    assert_eq!(log.about("a turn failed"), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_database_that_stays_away_is_told_of_every_half_minute() -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    plan(&faults.claim, &[Fault::Refused; 60]);
    let builder = Worker::<()>::builder().client(client).tasks(pgq::tasks![greet]).lease(Duration::from_hours(1));
    let worker = builder.spawn().await?;
    let back = logged(&log, "the database is back", 1, || clock.advance(Duration::from_millis(100))).await;
    let (away, still) = (log.about("the database is away"), log.about("the database is still away"));
    assert_eq!(away.len(), 1, "{away:?}");
    assert!(still[0].contains("after 3") && still[0].contains("services=\"claimer\""), "{still:?}");
    // Sixty pauses, of which most are of 2.5 to 5 s.
    assert!((4..=10).contains(&still.len()), "{still:?}");
    let span = back[0].split("after ").nth(1).unwrap().trim_end_matches('s');
    assert!(span.parse::<f64>().unwrap() > 120.0, "{back:?}");
    worker.stop().await
}

#[tokio::test]
async fn what_the_server_refuses_is_told_by_who_asked() -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let (client, faults) = wayward()?;
    plan(&faults.claim, &[Fault::Panic]);
    let worker = Worker::<()>::builder().client(client).tasks(pgq::tasks![greet]).spawn().await?;
    let told = logged(&log, "a turn failed", 1, || ()).await;
    assert!(told[0].contains("service=\"claimer\" error=\"a turn panicked\""), "{told:?}");
    assert_eq!(log.about("the database is away"), [""; 0]);
    worker.stop().await
}

/// What is said of a server that refuses forty times to have an end written: as it begins, while it lasts, and when it is over.
async fn told_of(code: &'static str, [begun, still, over]: [&str; 3]) -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    greet::enqueue(&client, ()).await?;
    plan(&faults.finish, &[Fault::Says(code); 40]);
    let builder = Worker::<()>::builder().client(client).tasks(pgq::tasks![greet]).lease(Duration::from_hours(1));
    let worker = builder.spawn().await?;
    let over = logged(&log, over, 1, || clock.advance(Duration::from_millis(100))).await;
    assert!(over[0].starts_with("INFO"), "{over:?}");
    let (begun, still) = (log.about(begun), log.about(still));
    assert!(begun.len() == 1 && begun[0].contains(&format!("the server said {code}")), "{begun:?}");
    // Forty pauses, of which most are of 2.5 to 5 s.
    assert!((2..=7).contains(&still.len()), "{still:?}");
    assert!(still[0].contains("after 3") && still[0].contains("services=\"completer\""), "{still:?}");
    assert_eq!(log.about("a turn failed"), [""; 0]);
    assert_eq!(log.about("is away"), [""; 0], "others get through");
    worker.stop().await
}

#[tokio::test]
async fn a_disk_that_is_full_is_told_of_once_and_now_and_then_and_so_is_that_it_has_room() -> Result<()> {
    let begun = "the database is short of something: ";
    told_of("53100", [begun, "is still short of something", "the database has what it was short of"]).await
}

#[tokio::test]
async fn a_right_that_was_taken_is_told_of_once_and_now_and_then_and_so_is_that_it_was_given_back() -> Result<()> {
    let begun = "the database denies a right: ";
    told_of("42501", [begun, "the database still denies a right", "the database denies no right any more"]).await
}
