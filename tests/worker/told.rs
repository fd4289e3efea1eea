//! What the log says of schedules, queues, limit keys, and workers that are gone.

use std::time::Duration;

use pgq::backend::Firing;
use pgq::testing::ManualClock;
use pgq::{Client, Result, Timestamp};
use tokio::sync::Notify;

use crate::log::Log;

#[pgq::schedule("* * * * *")]
async fn chime() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

fn scene() -> Result<(Client, ManualClock)> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    Ok((Client::builder()?.clock(clock.clone()).memory(), clock))
}

#[tokio::test]
async fn a_declaration_that_counts_nothing_beside_a_created_schedule_is_told_of_once() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let (client, _) = scene()?;
    client.schedule("chime", "@daily", chime::job(())).create().await?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![chime], ()).await?;
    worker.tick().await?;
    worker.tick().await?;
    let told = log.about("was created at run time");
    assert!(told.len() == 1 && told[0].starts_with("WARN") && told[0].contains("schedule=\"chime\""), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn a_tick_that_makes_no_job_is_told_with_what_is_in_its_way() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let (client, clock) = scene()?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![chime], ()).await?;
    clock.advance(Duration::from_mins(1));
    worker.tick().await?;
    worker.tick().await?;
    assert!(log.about("makes no job").is_empty());
    clock.advance(Duration::from_mins(1));
    worker.tick().await?;
    worker.tick().await?;
    let told = log.about("makes no job");
    assert_eq!(told.len(), 1, "{told:?}");
    for part in ["INFO", "schedule=\"chime\"", "tick=1970-01-01T00:02:00Z", "job=1", "an earlier one's isn't finished"]
    {
        assert!(told[0].contains(part), "{part} in {told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_schedule_whose_last_tick_is_to_come_is_told_of_once() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let (client, clock) = scene()?;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![chime], ()).await?;
    let kept = worker.session().agenda().await?.schedules.remove(0);
    // As it stands after its clock was set back by an hour.
    let last = clock.now().saturating_add(Duration::from_hours(1));
    let (name, generation, seen) = (kept.scheduled.name, kept.generation, kept.standing);
    let firing = Firing { name, generation, seen, last, waiting: None, ticks: Vec::new() };
    assert_eq!(worker.session().fire(vec![firing]).await?, [true]);
    worker.tick().await?;
    worker.tick().await?;
    let told = log.about("the clock was set back");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("WARN") && told[0].contains("last=1970-01-01T01:00:00Z"), "{told:?}");
    Ok(())
}

#[pgq::task(queue = "told.mail")]
async fn post() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn a_queue_that_no_task_has_is_told_of_once_and_served() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let client = Client::memory();
    let queues = ["told.mial", "told.mail", "elsewhere", "told.mial"];
    let builder = pgq::Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![post]).queues(queues);
    let mut worker = builder.stepper().await?;
    let told = log.about("no task of this program has the queue");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("WARN") && told[0].contains("`elsewhere`; "), "{told:?}");
    assert!(told[1].contains("`told.mial`, did you mean `told.mail`?"), "{told:?}");
    post::job(()).queue("elsewhere").enqueue(&client).await?;
    assert_eq!(worker.step().await?, 1);
    Ok(())
}

#[pgq::payload]
struct Bill {
    #[serde(rename = "org")]
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    region: Option<String>,
    #[serde(flatten)]
    terms: Terms,
}

#[pgq::payload]
struct Terms {
    currency: String,
}

#[pgq::payload]
struct Loose {
    #[serde(flatten)]
    all: std::collections::BTreeMap<String, String>,
}

#[pgq::task(limit(concurrency = 2, key = "tenant"), limit(concurrency = 9, key = "regoin"))]
async fn mistaken(bill: Bill) -> std::result::Result<(), pgq::BoxError> {
    drop(bill);
    Ok(())
}

#[pgq::task(
    limit(concurrency = 2, key = "org"),
    limit(concurrency = 9, key = "region"),
    limit(concurrency = 9, key = "currency")
)]
async fn exact(bill: Bill) -> std::result::Result<(), pgq::BoxError> {
    drop(bill);
    Ok(())
}

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn open(loose: Loose) -> std::result::Result<(), pgq::BoxError> {
    drop(loose);
    Ok(())
}

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn anything(args: serde_json::Value) -> std::result::Result<(), pgq::BoxError> {
    drop(args);
    Ok(())
}

#[tokio::test]
async fn a_limit_key_of_a_field_that_arguments_do_not_have_is_told_of_once() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let client = Client::memory();
    let tasks = pgq::tasks![mistaken, exact, open, anything];
    let mut worker = pgq::Worker::<()>::builder().client(client).tasks(tasks).stepper().await?;
    worker.step().await?;
    let told = log.about("have no field");
    assert_eq!(told.len(), 2, "{told:?}");
    let limit = "the limit `mistaken[tenant]` counts all of its jobs together";
    assert!(told[0].starts_with("WARN") && told[0].contains("`tenant`: ") && told[0].contains(limit), "{told:?}");
    assert!(told[1].contains("no field `regoin`, did you mean `region`?"), "{told:?}");
    Ok(())
}

/// Never ends.
#[pgq::task]
async fn stay() -> std::result::Result<(), pgq::BoxError> {
    std::future::pending().await
}

#[tokio::test]
async fn who_is_gone_is_told_of_with_the_first_of_its_jobs() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let (client, clock) = scene()?;
    stay::enqueue_many(&client, vec![(); 7]).await?;
    let mut gone = pgq::testing::stepper::<()>(&client, pgq::tasks![stay], ()).await?;
    assert_eq!(gone.start().await?, 7);
    let mut other = pgq::testing::stepper::<()>(&client, pgq::tasks![stay], ()).await?;
    clock.advance(Duration::from_mins(1));
    other.rescue().await?;
    let told = log.about("freed: ");
    assert_eq!(told.len(), 6, "{told:?}");
    for (line, job) in told.iter().zip(1..=5) {
        let said = format!("WARN message=job freed: its worker is gone job={job} task=\"stay\" worker=");
        assert!(line.starts_with(&said) && line.contains("lease="), "{told:?}");
    }
    assert!(told[5].starts_with("WARN message=more jobs freed: their worker is gone jobs=2 worker="), "{told:?}");
    assert_eq!(log.about("workers=1").len(), 1);
    // Its jobs may be freed later than it was declared gone.
    other.rescue().await?;
    assert_eq!(log.about("workers=").len(), 1);
    Ok(())
}

/// Ends when it is let go.
#[pgq::task]
async fn tarry() -> std::result::Result<(), pgq::BoxError> {
    GATE.notified().await;
    Ok(())
}

static GATE: Notify = Notify::const_new();

#[tokio::test]
async fn an_end_that_came_too_late_is_told_of_with_its_task_and_job() -> Result<()> {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let (client, clock) = scene()?;
    tarry::enqueue(&client, ()).await?;
    let mut gone = pgq::testing::stepper::<()>(&client, pgq::tasks![tarry], ()).await?;
    assert_eq!(gone.start().await?, 1);
    let mut other = pgq::testing::stepper::<()>(&client, pgq::tasks![tarry], ()).await?;
    clock.advance(Duration::from_mins(1));
    other.rescue().await?;
    GATE.notify_one();
    gone.settle().await?;
    let told = log.about("this end came too late");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("job=1 task=\"tarry\" attempt=1 epoch=1"), "{told:?}");
    Ok(())
}
