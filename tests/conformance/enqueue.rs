//! What goes in, and what is refused.

use std::time::Duration;

use pgq::{JobBuilder, Result, State, Timestamp, enqueue_many};
use serde::{Deserialize, Serialize, Serializer};

use crate::world::World;

/// A note.
#[pgq::task(queue = "notes")]
async fn note(text: String) -> Result<(), pgq::BoxError> {
    drop(text);
    Ok(())
}

/// A number, or none.
#[pgq::task(priority = 3)]
async fn count(number: f64) -> Result<(), pgq::BoxError> {
    if number.is_nan() { Ok(()) } else { Err("it is a number".into()) }
}

/// Something that no codec takes.
#[derive(Deserialize)]
pub(crate) struct Unspeakable;

impl Serialize for Unspeakable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it can't be said"))
    }
}

#[pgq::task(schema = none)]
async fn say(what: Unspeakable) -> Result<(), pgq::BoxError> {
    let Unspeakable = what;
    Ok(())
}

pub(crate) async fn a_job_is_available_once_it_is_enqueued(world: World) -> Result<()> {
    let handle = note::enqueue(&world.client, "a".to_owned()).await?;
    let job = world.job(handle.id()).await?;
    assert!(handle.is_new());
    assert_eq!((job.state, job.attempt, job.epoch), (State::Available, 0, 0));
    assert_eq!((job.created, job.run_at, job.finished), (world.clock.now(), world.clock.now(), None));
    Ok(())
}

pub(crate) async fn a_job_carries_what_it_was_given(world: World) -> Result<()> {
    let job = note::job("a".to_owned()).queue("bulk").priority(-7).max_attempts(3).header("tenant", "acme");
    let job = world.job(job.enqueue(&world.client).await?.id()).await?;
    assert_eq!((&*job.task, &*job.queue, job.priority.get(), job.max_attempts), ("note", "bulk", -7, 3));
    assert_eq!(job.headers.get("tenant").map(String::as_str), Some("acme"));
    let job = world.job(note::enqueue(&world.client, "b".to_owned()).await?.id()).await?;
    assert_eq!((&*job.queue, job.priority.get(), job.max_attempts), ("notes", 0, 20));
    Ok(())
}

pub(crate) async fn an_empty_batch_enqueues_nothing(world: World) -> Result<()> {
    assert!(note::enqueue_many(&world.client, []).await?.is_empty());
    assert!(enqueue_many(&world.client, []).await?.is_empty());
    Ok(())
}

pub(crate) async fn a_batch_of_100_000_is_enqueued_whole(world: World) -> Result<()> {
    let handles = note::enqueue_many(&world.client, (0..100_000).map(|n| n.to_string())).await?;
    assert_eq!(handles.len(), 100_000);
    assert_eq!(world.state(handles[99_999].id()).await?, State::Available);
    Ok(())
}

pub(crate) async fn handles_come_in_the_order_of_the_batch(world: World) -> Result<()> {
    let priorities = [5, -5, 3, 0, 7, 5];
    let jobs = priorities.map(|priority| note::job(String::new()).priority(priority).into());
    for (handle, priority) in enqueue_many(&world.client, jobs).await?.iter().zip(priorities) {
        assert_eq!(world.job(handle.id()).await?.priority.get(), priority);
    }
    Ok(())
}

pub(crate) async fn tasks_can_be_mixed_in_a_batch(world: World) -> Result<()> {
    let jobs = [note::job("a".to_owned()).into(), count::job(1.5).delay(Duration::from_secs(9)).into()];
    let handles = enqueue_many(&world.client, jobs).await?;
    let (first, second) = (world.job(handles[0].id()).await?, world.job(handles[1].id()).await?);
    assert_eq!((&*first.task, first.state), ("note", State::Available));
    assert_eq!((&*second.task, second.state, second.priority.get()), ("count", State::Scheduled, 3));
    Ok(())
}

pub(crate) async fn a_job_is_the_same_in_a_batch_as_alone(world: World) -> Result<()> {
    type Change = fn(JobBuilder<note>, Timestamp) -> JobBuilder<note>;
    let changes: [Change; 7] = [
        |job, _| job,
        |job, _| job.queue("bulk"),
        |job, _| job.priority(-7),
        |job, _| job.max_attempts(3),
        |job, _| job.header("tenant", "acme"),
        |job, _| job.delay(Duration::from_secs(9)),
        |job, now| job.at(now.saturating_add(Duration::from_secs(5))),
    ];
    let job = |change: &Change| change(note::job("a".to_owned()), world.clock.now());
    // Each change stands first, in the middle and last among jobs without it, and beside all the others.
    let mut batches: Vec<Vec<&Change>> = vec![changes.iter().collect(), changes.iter().rev().collect()];
    for change in &changes {
        batches.extend((0..3).map(|place| (0..3).map(|n| if n == place { change } else { &changes[0] }).collect()));
    }
    let mut keys = 0_u32..;
    for (batch, unique) in batches.iter().flat_map(|batch| [(batch, false), (batch, true)]) {
        let jobs = batch.iter().zip(&mut keys).map(|(change, key)| {
            let job = job(change);
            if unique { job.unique(key.to_string()).into() } else { job.into() }
        });
        for (handle, change) in enqueue_many(&world.client, jobs).await?.iter().zip(batch) {
            let alone = world.job(job(change).enqueue(&world.client).await?.id()).await?;
            let mut together = world.job(handle.id()).await?;
            together.id = alone.id;
            assert_eq!(together, alone);
        }
    }
    Ok(())
}

pub(crate) async fn a_payload_over_the_limit_is_refused(world: World) -> Result<()> {
    let error = note::enqueue(&world.client, "x".repeat(1 << 20)).await.unwrap_err();
    assert!(error.is_payload(), "{error}");
    assert_eq!(error.task(), Some("note"));
    assert!(error.to_string().contains("at most 1048576 bytes, got 1048581"), "{error}");
    // The encoding adds five bytes to a text of this length.
    note::enqueue(&world.client, "x".repeat((1 << 20) - 5)).await?;
    Ok(())
}

pub(crate) async fn a_batch_with_one_bad_job_enqueues_none(world: World) -> Result<()> {
    let before = note::enqueue(&world.client, String::new()).await?.id();
    let jobs = [note::job("fine".to_owned()).into(), note::job("x".repeat(1 << 20)).into()];
    assert!(enqueue_many(&world.client, jobs).await.unwrap_err().is_payload());
    let after = note::enqueue(&world.client, String::new()).await?.id();
    for id in before.0 + 1..after.0 {
        assert_eq!(world.client.get(pgq::JobId(id)).await?, None);
    }
    Ok(())
}

pub(crate) async fn a_job_of_any_task_can_be_enqueued_again(world: World) -> Result<()> {
    let job = pgq::AnyJob::from(note::job("a".to_owned()).priority(7));
    let handles = enqueue_many(&world.client, [job.clone(), job]).await?;
    let (one, mut two) = (world.job(handles[0].id()).await?, world.job(handles[1].id()).await?);
    assert_ne!(one.id, two.id);
    two.id = one.id;
    assert_eq!(one, two);
    let mistaken = pgq::AnyJob::from(say::job(Unspeakable));
    for job in [mistaken.clone(), mistaken] {
        let error = enqueue_many(&world.client, [job]).await.unwrap_err();
        assert!(error.is_payload() && format!("{error:?}").contains("it can't be said"), "{error:?}");
    }
    Ok(())
}

pub(crate) async fn an_id_comes_back_from_a_table_of_ones_own(world: World) -> Result<()> {
    let id = note::enqueue(&world.client, "a".to_owned()).await?.id();
    let kept: i64 = id.into();
    assert_eq!(world.job(kept.into()).await?.id, id);
    Ok(())
}

pub(crate) async fn arguments_that_cannot_be_encoded_are_refused(world: World) -> Result<()> {
    let error = say::enqueue(&world.client, Unspeakable).await.unwrap_err();
    assert!(error.is_payload() && format!("{error:?}").contains("it can't be said"), "{error:?}");
    Ok(())
}

pub(crate) async fn odd_values_are_refused_with_what_was_expected(world: World) -> Result<()> {
    let job = || note::job(String::new());
    let long = Duration::from_hours(24 * 365 * 100 + 1);
    for (job, expected) in [
        (job().priority(i16::MIN), "expected a priority of -32767 to 32767"),
        (job().delay(long), "expected a delay of at most 100 years"),
        (job().at(Timestamp::from_micros(i64::MIN)), "expected an instant from the year -4712 to 9999"),
        (job().at(Timestamp::MAX), "expected an instant from the year -4712 to 9999"),
        (job().timeout(Duration::ZERO), "expected a timeout of more than zero"),
        (job().max_attempts(0), "expected 1 to 32767 attempts, got 0"),
        (job().max_attempts(32_768), "expected 1 to 32767 attempts, got 32768"),
        (job().queue(""), "the queue's name isn't valid"),
        (job().queue("a b"), "the queue's name isn't valid"),
        (job().queue("q".repeat(129)), "the queue's name isn't valid"),
        (job().header("a", "b\0c"), "expected a header without NUL"),
        (job().header("a", "b".repeat(9_000)), "expected headers of at most 8192 bytes"),
    ] {
        let error = job.enqueue(&world.client).await.unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains(expected), "{error:?}");
    }
    Ok(())
}

pub(crate) async fn the_ends_of_every_range_are_taken(world: World) -> Result<()> {
    let year_9999 = Timestamp::from_micros(253_402_300_799_000_000);
    let job = || note::job(String::new());
    for job in [
        job().priority(32_767).max_attempts(1),
        job().priority(-32_767).max_attempts(32_767),
        job().delay(Duration::ZERO),
        job().delay(Duration::from_hours(24 * 365 * 100)),
        job().at(year_9999),
        job().at(Timestamp::EPOCH),
        job().queue("q".repeat(128)),
        job().header("", ""),
    ] {
        job.enqueue(&world.client).await?;
    }
    let kept = world.job(job().at(year_9999).enqueue(&world.client).await?.id()).await?;
    assert_eq!((kept.run_at, kept.state), (year_9999, State::Scheduled));
    Ok(())
}

pub(crate) async fn nan_travels_in_a_payload(world: World) -> Result<()> {
    let id = count::enqueue(&world.client, f64::NAN).await?.id();
    let mut worker = world.worker(pgq::tasks![count], ()).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(world.state(id).await?, State::Completed);
    Ok(())
}

pub(crate) async fn nothing_happens_before_an_enqueue_is_awaited(world: World) -> Result<()> {
    drop(note::enqueue(&world.client, String::new()));
    let mut worker = world.worker(pgq::tasks![note], ()).await?;
    assert_eq!(worker.drain().await?, 0);
    Ok(())
}
