//! A worker that can't begin, or begin anew, because of what surrounds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Client, Context, Env, Error, Resources, Result, Timestamp, Worker, WorkerBuilder};
use tokio::sync::mpsc;

use super::faults::{Fault, Faults, greet, plan, wayward, wayward_by};
use super::said::Said;
use crate::log::Log;
use crate::world::soon;

fn refuse(faults: &Faults, codes: &[&'static str]) {
    faults.register.lock().unwrap().extend(codes);
}

fn left(faults: &Faults) -> usize {
    faults.register.lock().unwrap().len()
}

fn builder(client: &Client) -> WorkerBuilder<()> {
    Worker::builder().client(client.clone()).tasks(pgq::tasks![greet])
}

#[tokio::test]
async fn a_first_session_that_the_server_will_open_later_is_tried_again() -> Result<()> {
    let (client, faults) = wayward()?;
    refuse(&faults, &["40P01", "40001", "55P03", "53300", "57P03"]);
    let worker = soon("it begins", builder(&client).spawn()).await?;
    assert_eq!((left(&faults), faults.sessions.load(Ordering::SeqCst)), (0, 1));
    worker.stop().await
}

#[tokio::test]
async fn what_does_not_pass_ends_a_beginning_at_once() -> Result<()> {
    for code in ["28P01", "3D000", "42501", "42P01"] {
        let (client, faults) = wayward()?;
        refuse(&faults, &[code, code, "53300"]);
        for builder in [builder(&client), builder(&client).restart()] {
            let error = builder.spawn().await.unwrap_err();
            assert!(error.is_database() || error.is_schema(), "{code}: {error:?}");
        }
        assert_eq!(left(&faults), 1, "it was asked once each time");
    }
    Ok(())
}

#[tokio::test]
async fn a_right_that_is_denied_to_a_worker_that_registers_anew_is_told_of_by_one_voice() -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let (client, faults) = wayward()?;
    let worker = builder(&client).spawn().await?;
    refuse(&faults, &["42501"; 5]);
    plan(&faults.renew, &[Fault::Gone]);
    let registered = async {
        while log.about("this worker has registered anew").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon("it registers anew", registered).await;
    for (words, times) in
        [("can't register anew yet", 0), ("the database denies a right: ", 1), ("denies no right any more", 1)]
    {
        assert_eq!(log.about(words).len(), times, "{words}");
    }
    worker.stop().await
}

/// Moves the clock until a worker has begun, or has given up.
async fn outwait(clock: &ManualClock, builder: WorkerBuilder<()>) -> Result<Worker<()>> {
    let spawned = tokio::spawn(builder.spawn());
    while !spawned.is_finished() {
        clock.advance(Duration::from_millis(500));
        tokio::task::yield_now().await;
    }
    spawned.await.expect("it doesn't panic")
}

#[tokio::test]
async fn a_server_that_stays_full_ends_a_worker_in_the_end_but_not_one_that_restarts() -> Result<()> {
    let start = Timestamp::EPOCH;
    let clock = ManualClock::at(start);
    let (client, faults) = wayward_by(&clock)?;
    refuse(&faults, &["53300"; 500]);
    let error = outwait(&clock, builder(&client)).await.unwrap_err();
    let waited = clock.now().since(start);
    assert!(error.is_database() && waited >= Duration::from_secs(30), "{waited:?}: {error:?}");
    assert!(waited < Duration::from_mins(1), "{waited:?}");
    faults.register.lock().unwrap().truncate(40);
    outwait(&clock, builder(&client).restart()).await?.stop().await?;
    assert!(clock.now().since(start) > waited + Duration::from_mins(1), "the pauses grow");
    Ok(())
}

/// What can't be made before the third time.
#[derive(pgq::Provide)]
struct Late;

static MADE: AtomicU32 = AtomicU32::new(0);

impl Resources for Late {
    async fn init(_: &Env) -> Result<Self> {
        match MADE.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Error::init("the mail server is away")),
            1 => Err(Said("53300").into()),
            _ => Ok(Self),
        }
    }
}

#[tokio::test]
async fn a_worker_that_restarts_waits_for_its_resources() -> Result<()> {
    let tasks = || pgq::tasks![greet];
    let error = Worker::<Late>::builder().client(Client::memory()).tasks(tasks()).spawn().await.unwrap_err();
    assert!(error.is_init(), "{error:?}");
    let builder = Worker::<Late>::builder().client(Client::memory()).tasks(tasks()).restart();
    soon("it begins", builder.spawn()).await?.stop().await?;
    assert_eq!(MADE.load(Ordering::SeqCst), 3);
    Ok(())
}

/// Its resources are counted.
#[derive(pgq::Provide)]
struct Once {
    told: mpsc::UnboundedSender<()>,
    closed: Arc<AtomicU32>,
}

impl Resources for Once {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }

    async fn close(self: Arc<Self>) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}

#[pgq::task]
async fn report(ctx: Context<Once>) -> Result<(), pgq::BoxError> {
    Ok(ctx.told.send(())?)
}

#[tokio::test]
async fn a_worker_that_can_hear_nothing_begins_anew_with_the_same_resources() -> Result<()> {
    let (client, faults) = wayward()?;
    let (told, mut runs) = mpsc::unbounded_channel();
    let closed = Arc::<AtomicU32>::default();
    let resources = Once { told, closed: Arc::clone(&closed) };
    plan(&faults.renew, &[Fault::Refused]);
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![report]).resources(resources);
    let worker = builder.shutdown_on_listener_failure().restart().spawn().await?;
    // Where it was told before it had ended, the second session does it.
    while faults.sessions.load(Ordering::SeqCst) < 2 {
        report::enqueue(&client, ()).await?;
        soon("a job runs", runs.recv()).await;
    }
    report::enqueue(&client, ()).await?;
    soon("its next session runs jobs", runs.recv()).await;
    assert_eq!(closed.load(Ordering::SeqCst), 0);
    worker.stop().await?;
    assert_eq!(closed.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_does_not_begin_anew() -> Result<()> {
    let (client, faults) = wayward()?;
    let builder = builder(&client).lease(Duration::from_secs(1)).shutdown_on_listener_failure();
    let worker = builder.restart().spawn().await?;
    refuse(&faults, &["53300"; 500]);
    plan(&faults.renew, &[Fault::Refused]);
    soon("it tries to begin anew", faults.refused.notified()).await;
    soon("it ends", worker.stop()).await?;
    assert_eq!(faults.sessions.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test]
async fn what_no_restart_mends_ends_a_worker_that_restarts() -> Result<()> {
    let (client, faults) = wayward()?;
    let builder = builder(&client).lease(Duration::from_secs(1)).shutdown_on_listener_failure();
    let mut worker = builder.restart().spawn().await?;
    refuse(&faults, &["53300", "42P01"]);
    plan(&faults.renew, &[Fault::Refused]);
    let error = soon("it ends", worker.ended()).await.unwrap_err();
    assert!(error.is_schema(), "{error:?}");
    Ok(())
}
