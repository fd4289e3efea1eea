//! Claims that win all that they ask for: what one has won starts while the next is on its way. Whatever becomes of that one, or of
//! the worker, nothing that was won waits for a lease to be over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Client, Context, Env, Error, JobId, Resources, Result, State, Tasks, Timestamp, Worker, WorkerBuilder};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::faults::{Fault, Faults, plan, standing, wayward, wayward_by, wayward_over};
use crate::world::World;

/// The most that one claim wins.
const FULL: usize = 500;

/// Hears of each run: of which job, and under which claim number.
#[derive(pgq::Provide)]
struct Roll {
    called: UnboundedSender<(JobId, i64)>,
}

impl Resources for Roll {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

#[pgq::task]
async fn answer(ctx: Context<Roll>) -> std::result::Result<(), pgq::BoxError> {
    Ok(ctx.called.send((ctx.job_id(), ctx.fence()))?)
}

/// No more than a claim wins.
#[pgq::task(concurrency = 500)]
async fn answer_together(ctx: Context<Roll>) -> std::result::Result<(), pgq::BoxError> {
    Ok(ctx.called.send((ctx.job_id(), ctx.fence()))?)
}

fn builder(client: &Client) -> (WorkerBuilder<Roll>, UnboundedReceiver<(JobId, i64)>) {
    builder_of(client, pgq::tasks![answer])
}

fn builder_of(client: &Client, tasks: Tasks<Roll>) -> (WorkerBuilder<Roll>, UnboundedReceiver<(JobId, i64)>) {
    let (called, runs) = unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(tasks);
    (builder.resources(Roll { called }).slots(2 * FULL).drain_timeout(Duration::from_secs(5)), runs)
}

/// The next so many runs. They come soon: the limit only bounds how long a failing test takes.
async fn next(runs: &mut UnboundedReceiver<(JobId, i64)>, count: usize) -> Vec<(JobId, i64)> {
    let mut called = Vec::new();
    let all = async {
        while called.len() < count {
            called.push(runs.recv().await.expect("the worker lives"));
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(20), all).await;
    assert!(came.is_ok(), "{} of {count} start", called.len());
    called
}

/// Lets the first claim, which is held, be heard of, and then comes what is planned.
async fn hear(faults: &Faults, then: &[Fault]) {
    faults.is_held().await;
    plan(&faults.claim, then);
    faults.heard.notify_one();
}

async fn count(client: &Client, state: State) -> Result<u64> {
    Ok(client.jobs().state(state).count().await?.jobs)
}

/// Half of them were won, and the worker was then told to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_between_two_full_claims_runs_what_the_first_won() -> Result<()> {
    let (client, faults) = wayward()?;
    answer::enqueue_many(&client, [(); 2 * FULL]).await?;
    plan(&faults.claim, &[Fault::Held]);
    let (builder, mut runs) = builder(&client);
    let worker = builder.spawn().await?;
    faults.is_held().await;
    worker.stopper().ask();
    faults.heard.notify_one();
    worker.stop().await?;
    next(&mut runs, FULL).await;
    assert!(runs.recv().await.is_none(), "the others were left alone");
    assert_eq!((count(&client, State::Completed).await?, count(&client, State::Available).await?), (500, 500));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_claim_won_starts_whatever_becomes_of_the_next() -> Result<()> {
    for fault in [Fault::Refused, Fault::Unanswered, Fault::Panic, Fault::Silence] {
        // Nobody moves it: the claim that fails isn't made again.
        let (client, faults) = wayward_by(&ManualClock::at(Timestamp::EPOCH))?;
        answer::enqueue_many(&client, [(); 2 * FULL]).await?;
        plan(&faults.claim, &[Fault::Held]);
        let (builder, mut runs) = builder(&client);
        let worker = builder.lease(Duration::from_hours(1)).spawn().await?;
        hear(&faults, &[fault]).await;
        next(&mut runs, FULL).await;
        faults.claim.taken().await;
        worker.stopper().insist();
        worker.stop().await?;
        let states = (count(&client, State::Completed).await?, count(&client, State::Available).await?);
        assert_eq!(states, (500, 500), "{fault:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_claim_won_starts_where_its_limit_leaves_nothing_to_claim() -> Result<()> {
    let (client, _) = wayward_by(&ManualClock::at(Timestamp::EPOCH))?;
    answer_together::enqueue_many(&client, [(); FULL + 9]).await?;
    let (builder, mut runs) = builder_of(&client, pgq::tasks![answer_together]);
    let worker = builder.lease(Duration::from_hours(1)).spawn().await?;
    next(&mut runs, FULL).await;
    worker.stopper().insist();
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_won_before_a_doubt_of_the_lease_does_not_start_in_it_and_is_handed_back() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    let first = answer::enqueue_many(&client, [(); 2 * FULL]).await?[0].id();
    plan(&faults.renew, &vec![Fault::Refused; 1_000]);
    plan(&faults.claim, &[Fault::Held]);
    let (builder, mut runs) = builder(&client);
    let worker = builder.spawn().await?;
    hear(&faults, &[Fault::Late]).await;
    let handed_back = async {
        while standing(&client, first).await? != (State::Available, 0, 1) {
            clock.advance(Duration::from_millis(5));
            tokio::task::yield_now().await;
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(Duration::from_secs(20), handed_back).await.expect("it doesn't wait for the lease")?;
    assert!(runs.try_recv().is_err(), "nothing has started");
    faults.renew.clear();
    let time = async {
        loop {
            clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let all = tokio::select! {
        all = next(&mut runs, 2 * FULL) => all,
        () = time => unreachable!("time goes on"),
    };
    let jobs: HashSet<JobId> = all.into_iter().map(|(id, _)| id).collect();
    assert_eq!(jobs.len(), 2 * FULL, "each runs once");
    worker.stopper().insist();
    worker.stop().await
}

/// A connection that was away brings the claimer to look what its lease holds of which this process doesn't know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_claim_won_is_known_before_strays_are_handed_back() -> Result<()> {
    let (client, faults) = wayward()?;
    answer::enqueue_many(&client, [(); 2 * FULL]).await?;
    plan(&faults.claim, &[Fault::Held]);
    let (builder, mut runs) = builder(&client);
    let worker = builder.lease(Duration::from_hours(1)).spawn().await?;
    let mut renewed = faults.renewed.subscribe();
    renewed.wait_for(|times| *times > 0).await.expect("it beats");
    plan(&faults.renew, &[Fault::Refused]);
    faults.renew.taken().await;
    renewed.borrow_and_update();
    renewed.changed().await.expect("it beats again");
    hear(&faults, &[]).await;
    let all = next(&mut runs, 2 * FULL).await;
    assert!(all.iter().all(|(_, fence)| *fence == 1), "none is handed back");
    worker.stop().await?;
    assert_eq!(count(&client, State::Completed).await?, 1_000);
    Ok(())
}

/// Tells when it runs, and when it is told to end.
#[pgq::task(priority = 9)]
async fn heed(ctx: Context<Roll>) -> std::result::Result<(), pgq::BoxError> {
    ctx.called.send((ctx.job_id(), 0))?;
    ctx.cancelled().await;
    Ok(ctx.called.send((ctx.job_id(), 0))?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_claim_won_does_not_start_once_its_worker_was_told_that_it_is_gone() -> Result<()> {
    let (client, faults) = wayward()?;
    heed::enqueue(&client, ()).await?;
    answer::enqueue_many(&client, [(); 2 * FULL]).await?;
    plan(&faults.claim, &[Fault::Held; 2]);
    let (builder, mut runs) = builder_of(&client, pgq::tasks![answer, heed]);
    let worker = builder.spawn().await?;
    hear(&faults, &[]).await;
    next(&mut runs, 1).await;
    faults.is_held().await;
    plan(&faults.renew, &[Fault::Gone]);
    next(&mut runs, 1).await;
    faults.heard.notify_one();
    let all = next(&mut runs, 2 * FULL).await;
    assert_eq!(all.iter().filter(|(_, fence)| *fence == 2).count(), FULL, "they run in the next session");
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_claim_won_is_handed_back_where_its_worker_stops_while_it_can_not_say_that_it_is_awake()
-> Result<()> {
    let world = World::postgres().await;
    let faults = Arc::new(Faults::default());
    let (builder, _runs) = builder(&wayward_over(&world.client, &world.clock, &faults)?);
    let worker = builder.lease(Duration::from_hours(1)).spawn().await?;
    faults.asleep.subscribe().wait_for(|asleep| *asleep).await.expect("it falls asleep");
    plan(&faults.claim, &[Fault::Held; 2]);
    answer::enqueue_many(&world.client, [(); 3 * FULL]).await?;
    hear(&faults, &[]).await;
    faults.is_held().await;
    world.clock.advance(Duration::from_millis(100));
    plan(&faults.doze, &[Fault::Silence]);
    faults.heard.notify_one();
    faults.doze.taken().await;
    worker.stopper().insist();
    let stopped = tokio::spawn(worker.stop());
    while !stopped.is_finished() {
        world.clock.advance(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    stopped.await.expect("it doesn't panic")?;
    assert_eq!(count(&world.client, State::Running).await?, 0);
    Ok(())
}
