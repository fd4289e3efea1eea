//! One job of a task for each unique key.

use std::time::Duration;

use pgq::backend::Transition;
use pgq::{OnConflict, Placement, Result, State};

use crate::world::{World, claim, end, failure, retry};

const MINUTE: Duration = Duration::from_mins(1);

#[pgq::task]
async fn sync(what: String) -> std::result::Result<(), pgq::BoxError> {
    drop(what);
    Ok(())
}

#[pgq::task]
async fn other() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

fn job(what: &str, key: &str) -> pgq::JobBuilder<sync> {
    sync::job(what.to_owned()).unique(key)
}

pub(crate) async fn a_second_job_with_a_key_is_refused_and_told_of_the_first(world: World) -> Result<()> {
    let first = job("a", "k").enqueue(&world.client).await?;
    let error = job("b", "k").enqueue(&world.client).await.unwrap_err();
    assert!(error.is_duplicate() && !error.is_running());
    assert_eq!((error.job(), error.task()), (Some(first.id()), Some("sync")));
    job("b", "l").enqueue(&world.client).await?;
    other::job(()).unique("k").enqueue(&world.client).await?;
    sync::enqueue(&world.client, "without".to_owned()).await?;
    Ok(())
}

pub(crate) async fn a_key_is_taken_until_its_job_has_ended(world: World) -> Result<()> {
    let session = world.session(&["sync"]).await?;
    let id = job("a", "k").enqueue(&world.client).await?.id();
    let taken = async |running| {
        let error = job("b", "k").enqueue(&world.client).await.unwrap_err();
        assert_eq!((error.job(), error.is_running()), (Some(id), running));
        Ok::<_, pgq::Error>(())
    };
    taken(false).await?;
    let won = claim(&session, &["sync"], 1).await?;
    taken(true).await?;
    end(&session, &won[0], retry(MINUTE)).await?;
    taken(false).await?;
    world.clock.advance(MINUTE);
    session.promote(10).await?;
    let won = claim(&session, &["sync"], 1).await?;
    end(&session, &won[0], Transition::Discard { failure: failure() }).await?;
    let next = job("b", "k").enqueue(&world.client).await?.id();
    world.client.cancel(next, "").await?;
    assert!(job("c", "k").enqueue(&world.client).await?.is_new());
    Ok(())
}

pub(crate) async fn a_second_job_can_be_skipped_for_the_first(world: World) -> Result<()> {
    let first = job("a", "k").enqueue(&world.client).await?;
    let second = job("b", "k").on_conflict(OnConflict::Skip).enqueue(&world.client).await?;
    assert_eq!((second.id(), second.is_new(), second.placement()), (first.id(), false, Placement::Existing));
    Ok(())
}

pub(crate) async fn a_second_job_can_replace_what_the_first_carries(world: World) -> Result<()> {
    let first = job("a", "k").delay(MINUTE).header("who", "kim").enqueue(&world.client).await?;
    let second =
        job("b", "k").on_conflict(OnConflict::Replace).delay(MINUTE * 2).priority(7).enqueue(&world.client).await?;
    assert_eq!((second.id(), second.placement()), (first.id(), Placement::Replaced));
    let replaced = world.job(first.id()).await?;
    assert_eq!((replaced.priority.get(), replaced.headers.len(), replaced.state), (7, 0, State::Scheduled));
    assert_eq!(replaced.run_at.since(world.clock.now()), MINUTE * 2);
    world.clock.advance(MINUTE * 2);
    let session = world.session(&["sync"]).await?;
    session.promote(10).await?;
    let won = claim(&session, &["sync"], 9).await?;
    assert_eq!((won.len(), &*won[0].payload), (1, &[0xa1, b'b'][..]));
    let error = job("c", "k").on_conflict(OnConflict::Replace).enqueue(&world.client).await.unwrap_err();
    assert!(error.is_duplicate() && error.is_running(), "what runs is not replaced");
    Ok(())
}

pub(crate) async fn a_second_job_can_raise_the_priority_of_the_first(world: World) -> Result<()> {
    let first = job("a", "k").priority(3).enqueue(&world.client).await?;
    for (priority, then) in [(1, 3), (9, 9)] {
        let raise = job("b", "k").on_conflict(OnConflict::RaisePriority).priority(priority);
        let second = raise.enqueue(&world.client).await?;
        assert_eq!((second.id(), second.placement()), (first.id(), Placement::Raised));
        assert_eq!(world.job(first.id()).await?.priority.get(), then);
    }
    Ok(())
}

pub(crate) async fn a_key_can_stay_taken_for_a_while_after_its_job(world: World) -> Result<()> {
    let session = world.session(&["sync"]).await?;
    let id = job("a", "k").unique_for(MINUTE).enqueue(&world.client).await?.id();
    let won = claim(&session, &["sync"], 1).await?;
    end(&session, &won[0], Transition::Complete).await?;
    assert_eq!(world.state(id).await?, State::Completed);
    assert_eq!(job("b", "k").enqueue(&world.client).await.unwrap_err().job(), Some(id));
    assert!(claim(&session, &["sync"], 1).await?.is_empty());
    world.clock.advance(MINUTE);
    assert!(job("b", "k").enqueue(&world.client).await?.is_new());
    Ok(())
}

pub(crate) async fn what_was_cancelled_frees_its_key_at_once(world: World) -> Result<()> {
    let session = world.session(&["sync"]).await?;
    job("a", "k").unique_for(MINUTE).enqueue(&world.client).await?;
    let won = claim(&session, &["sync"], 1).await?;
    end(&session, &won[0], Transition::Cancel { failure: failure() }).await?;
    assert!(job("b", "k").enqueue(&world.client).await?.is_new());
    Ok(())
}

pub(crate) async fn each_outcome_of_a_batch_stands_at_its_place(world: World) -> Result<()> {
    let first = job("a", "z").enqueue(&world.client).await?.id();
    let jobs = [
        job("b", "z").into(),
        job("c", "a").into(),
        sync::job("plain".to_owned()).into(),
        job("d", "z").on_conflict(OnConflict::Skip).into(),
        job("e", "a").on_conflict(OnConflict::Skip).into(),
        job("f", "b").into(),
    ];
    let handles = pgq::enqueue_many(&world.client, jobs).await?;
    let placements: Vec<_> = handles.iter().map(pgq::Handle::placement).collect();
    assert_eq!(
        placements,
        [
            Placement::Rejected { running: false },
            Placement::New,
            Placement::New,
            Placement::Existing,
            Placement::Existing,
            Placement::New,
        ]
    );
    assert_eq!((handles[0].id(), handles[3].id()), (first, first));
    assert_eq!(handles[4].id(), handles[1].id(), "also where the first is in the same batch");
    Ok(())
}

pub(crate) async fn a_key_is_exact_under_many_enqueuers(world: World) -> Result<()> {
    let mut enqueuers = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let client = world.client.clone();
        enqueuers.spawn(async move { job("a", "k").on_conflict(OnConflict::Skip).enqueue(&client).await });
    }
    let handles = enqueuers.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(handles.iter().filter(|handle| handle.is_new()).count(), 1);
    assert!(handles.iter().all(|handle| handle.id() == handles[0].id()));
    Ok(())
}

pub(crate) async fn batches_that_cross_do_not_deadlock(world: World) -> Result<()> {
    let mut enqueuers = tokio::task::JoinSet::new();
    for turn in 0..8 {
        let client = world.client.clone();
        enqueuers.spawn(async move {
            let mut keys: Vec<_> = (0..50).map(|key| key.to_string()).collect();
            if turn % 2 == 0 {
                keys.reverse();
            }
            let jobs = keys.iter().map(|key| job("a", key).on_conflict(OnConflict::Skip).into());
            pgq::enqueue_many(&client, jobs).await
        });
    }
    let handles = enqueuers.join_all().await.into_iter().collect::<Result<Vec<_>>>()?.concat();
    assert_eq!(handles.iter().filter(|handle| handle.is_new()).count(), 50);
    Ok(())
}

pub(crate) async fn a_refused_duplicate_leaves_the_transaction_usable(world: World) -> Result<()> {
    job("a", "k").enqueue(&world.client).await?;
    let tx = world.client.begin().await?;
    assert!(job("b", "k").enqueue(&tx).await.unwrap_err().is_duplicate());
    let new = job("c", "l").enqueue(&tx).await?;
    assert_eq!(job("d", "l").on_conflict(OnConflict::Skip).enqueue(&tx).await?.id(), new.id());
    let replaced = job("e", "l").on_conflict(OnConflict::Replace).priority(5).enqueue(&tx).await?;
    assert_eq!((replaced.id(), replaced.placement()), (new.id(), Placement::Replaced));
    tx.commit().await?;
    assert_eq!(world.job(new.id()).await?.priority.get(), 5);
    Ok(())
}

pub(crate) async fn a_key_of_a_rolled_back_transaction_is_free(world: World) -> Result<()> {
    let tx = world.client.begin().await?;
    job("a", "k").enqueue(&tx).await?;
    tx.rollback().await?;
    assert!(job("b", "k").enqueue(&world.client).await?.is_new());
    Ok(())
}

/// By two of its arguments.
#[pgq::task(unique = ["user", "day"])]
async fn digest(user: u32, day: String, urgent: bool) -> std::result::Result<(), pgq::BoxError> {
    drop((user, day, urgent));
    Ok(())
}

/// One at a time.
#[pgq::task(unique = "the one")]
async fn sweep() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(unique(by = ["id"], on_conflict = skip, for = "1m"))]
async fn refresh(what: What) -> std::result::Result<(), pgq::BoxError> {
    let _ = what.id;
    Ok(())
}

#[pgq::payload]
pub(crate) struct What {
    id: Option<u32>,
}

pub(crate) async fn a_task_can_name_the_arguments_that_make_its_key(world: World) -> Result<()> {
    let args = |user, day: &str, urgent| DigestArgs { user, day: day.to_owned(), urgent };
    let first = digest::enqueue(&world.client, args(1, "mon", false)).await?.id();
    let error = digest::enqueue(&world.client, args(1, "mon", true)).await.unwrap_err();
    assert_eq!((error.is_duplicate(), error.job()), (true, Some(first)));
    let others = [args(1, "tue", false), args(2, "mon", false)];
    assert!(digest::enqueue_many(&world.client, others).await?.iter().all(pgq::Handle::is_new));
    digest::job(args(1, "mon", true)).unique("of its own").enqueue(&world.client).await?;
    Ok(())
}

pub(crate) async fn a_task_can_be_one_job_at_a_time(world: World) -> Result<()> {
    sweep::enqueue(&world.client, ()).await?;
    assert!(sweep::enqueue(&world.client, ()).await.unwrap_err().is_duplicate());
    Ok(())
}

pub(crate) async fn a_task_says_how_a_conflict_is_met_and_a_job_may_differ(world: World) -> Result<()> {
    let what = || What { id: Some(7) };
    let first = refresh::enqueue(&world.client, what()).await?.id();
    assert_eq!(refresh::enqueue(&world.client, what()).await?.id(), first);
    let strict = refresh::job(what()).on_conflict(OnConflict::Reject).enqueue(&world.client).await;
    assert!(strict.unwrap_err().is_duplicate());
    let mut worker = world.worker(pgq::tasks![refresh], ()).await?;
    worker.drain().await?;
    assert_eq!(refresh::enqueue(&world.client, what()).await?.id(), first, "for a minute after it");
    world.clock.advance(MINUTE);
    assert!(refresh::enqueue(&world.client, what()).await?.is_new());
    assert!(refresh::enqueue(&world.client, What { id: None }).await?.is_new(), "none is a value like any other");
    Ok(())
}

pub(crate) async fn an_odd_key_is_refused(world: World) -> Result<()> {
    for (job, expected) in [
        (job("a", ""), "a unique key of 1 to 512 bytes without NUL, got 0"),
        (job("a", &"k".repeat(513)), "a unique key of 1 to 512 bytes without NUL, got 513"),
        (job("a", "k\0"), "a unique key of 1 to 512 bytes without NUL"),
        (sync::job(String::new()).on_conflict(OnConflict::Skip), "a unique key, `.unique("),
    ] {
        let error = job.enqueue(&world.client).await.unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains(expected), "{error}");
    }
    Ok(())
}
